import type { Command } from 'commander';
import type { CommandContext } from '../command-context.js';
import { CommandError } from '../exit-code.js';

/** The commands that act on one task. */
export function addSingleTaskCommands(program: Command, context: CommandContext): void {
  program
    .command('retry <id>')
    .description('run a failed or cancelled task again, under its id')
    .action((id: string, _options: unknown, command: Command) =>
      context.withStore(command, async ({ operator, out }) => {
        const status = await operator.retry(id);
        if (status.state === 'succeeded' || status.state === 'expired') {
          throw new CommandError(`Task ${id} is ${status.state}. Only failed and cancelled tasks run again.`);
        }
        out.print(status, ({ name, state }) => `Task ${name} (${id}) is ${state}.\n`);
      }),
    );
  program
    .command('cancel <id>')
    .description('cancel a task; the signal of a running one is aborted')
    .option('--reason <text>', 'the message of the error with which the task ends')
    .action((id: string, { reason }: { reason?: string }, command: Command) =>
      context.withStore(command, async ({ operator, out }) => {
        const status = await operator.cancel(id, reason ?? null);
        if (status.state === 'running') {
          out.print(status, ({ name }) => `Task ${name} (${id}) is told to stop; it ends when its method does.\n`);
          return;
        }
        if (status.state !== 'cancelled') throw new CommandError(`Task ${id} has ended: it is ${status.state}.`);
        out.print(status, ({ name, state }) => `Task ${name} (${id}) is ${state}.\n`);
      }),
    );
  program
    .command('forget <id>')
    .description('remove the record of a task that has ended')
    .action((id: string, _options: unknown, command: Command) =>
      context.withStore(command, async ({ operator, out }) => {
        if (!(await operator.forget(id))) {
          throw new CommandError(
            `Task ${id.slice(0, 100)} is not removed: it is not stored, has not ended, or a workflow still needs its result.`,
          );
        }
        out.print({ id, forgotten: true }, () => `Task ${id} is forgotten.\n`);
      }),
    );
}
