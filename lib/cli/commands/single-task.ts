import type { Command } from 'commander';
import type { Duration } from '../../duration.js';
import type { TaskStatus } from '../../results/task-status.js';
import type { CommandContext, CommandRun } from '../command-context.js';
import { CommandError, wrongUsage } from '../exit-code.js';
import { anyNumber, parseArgs } from '../parse-options.js';

interface UpdateFlags {
  readonly args?: string;
  readonly delay?: Duration;
  readonly priority?: number;
  readonly reason?: string;
}

/** Runs one failed or cancelled task again. */
export async function retryOne(id: string, reason: string | undefined, run: CommandRun): Promise<void> {
  const status = await run.operator.retry(id, run.actor(reason));
  if (status.state === 'succeeded' || status.state === 'expired') {
    throw new CommandError(`Task ${id} is ${status.state}. Only failed and cancelled tasks run again.`);
  }
  printState(status, run);
}

/** Cancels one task. */
export async function cancelOne(id: string, reason: string | undefined, run: CommandRun): Promise<void> {
  const status = await run.operator.cancel(id, run.actor(reason));
  if (status.state === 'running') {
    run.out.print(status, ({ name }) => `Task ${name} (${id}) is told to stop; it ends when its method does.\n`);
    return;
  }
  if (status.state !== 'cancelled') throw new CommandError(`Task ${id} has ended: it is ${status.state}.`);
  printState(status, run);
}

/** Removes the record of one task. */
export async function forgetOne(id: string, reason: string | undefined, run: CommandRun): Promise<void> {
  if (!(await run.operator.forget(id, run.actor(reason)))) {
    throw new CommandError(
      `Task ${id.slice(0, 100)} is not removed: it is not stored, has not ended, or a workflow still needs its result.`,
    );
  }
  run.out.print({ id, forgotten: true }, () => `Task ${id} is forgotten.\n`);
}

/** The commands that act on one task and never on many. */
export function addSingleTaskCommands(program: Command, context: CommandContext): void {
  program
    .command('promote <id>')
    .description('run a task now that waits for its time, or for its next attempt')
    .option('--reason <text>', 'why, for those who watch')
    .action((id: string, { reason }: { reason?: string }, command: Command) =>
      context.withStore(command, async (run) => {
        printState(await run.operator.promote(id, run.actor(reason)), run);
      }),
    );
  program
    .command('update <id>')
    .description('change a task that has not started')
    .option('--args <json>', 'all arguments, a JSON list')
    .option('--delay <duration>', 'start at the earliest after this time from now: 10m; 0 for at once')
    .option('--priority <number>', '0 to 9, higher first', anyNumber)
    .option('--reason <text>', 'why, for those who watch')
    .action((id: string, flags: UpdateFlags, command: Command) => {
      const change = {
        ...(flags.args !== undefined && { args: parseArgs(flags.args) }),
        ...(flags.delay !== undefined && { delay: delayOf(flags.delay) }),
        ...(flags.priority !== undefined && { priority: flags.priority }),
      };
      if (Object.keys(change).length === 0) throw wrongUsage('Give what to change: --args, --delay or --priority.');
      return context.withStore(command, async (run) => {
        printState(await run.operator.update(id, change, run.actor(flags.reason)), run);
      });
    });
}

/** `0` needs no unit. */
function delayOf(text: Duration): Duration {
  return String(text) === '0' ? 0 : text;
}

function printState(status: TaskStatus, { out }: CommandRun): void {
  out.print(status, ({ id, name, state }) => `Task ${name} (${id}) is ${state}.\n`);
}
