import { Option, type Command } from 'commander';
import type { Duration } from '../../duration.js';
import { isFinal } from '../../engine/task.js';
import type { CommandContext } from '../command-context.js';
import { EXIT } from '../exit-code.js';
import { printable } from '../style.js';
import { collect, pairsOf, parseArgs } from '../parse-options.js';

interface EnqueueFlags {
  readonly args: string;
  readonly delay?: Duration;
  readonly queue?: string;
  readonly header: readonly string[];
  readonly wait?: true;
}

/** Milliseconds of one wait for the end of a task; the command then waits on. */
const WAIT_STEP = 10_000;

export function addEnqueue(program: Command, context: CommandContext): void {
  program
    .command('enqueue <name>')
    .description('store a call of a task: nestjs-task-queue enqueue ReportTasks.build --args \'["2026-11"]\'')
    .option('--args <json>', 'the arguments, a JSON list', '[]')
    .option('--delay <duration>', 'start later: 10s, 5m, 2h')
    .option('--queue <queue>', 'the queue; default: the one for which live workers declare the task')
    .addOption(
      new Option('--header <name=value>', 'a header; may be given again').argParser(collect).default([], 'none'),
    )
    .option('--wait', 'wait for the end: exit code 0 when the task succeeded, else 1')
    .action(async (name: string, flags: EnqueueFlags, command: Command) => {
      const args = parseArgs(flags.args);
      const { delay, queue, header } = flags;
      const options = {
        ...(delay !== undefined && { delay }),
        ...(queue !== undefined && { queue }),
        headers: pairsOf(header, '--header'),
      };
      await context.withStore(command, async ({ operator, out }) => {
        const call = await operator.enqueue({ name, args, options });
        if (!flags.wait) {
          out.print(call, ({ id, state }) => `Task ${name} (${id}) is ${state}.\n`);
          return EXIT.done;
        }
        out.say(`Task ${name} (${call.id}) is ${call.state}.`);
        let status = await operator.untilFinal(call.id, WAIT_STEP);
        while (!isFinal(status.state)) status = await operator.untilFinal(call.id, WAIT_STEP);
        out.print(status, ({ state, result, error }) => {
          if (error)
            return `It ${state === 'failed' ? 'failed' : `is ${state}`}: ${printable(`${error.name}: ${error.message}`)}\n`;
          return `It is ${state}: ${JSON.stringify(result)}\n`;
        });
        return status.state === 'succeeded' ? EXIT.done : EXIT.failed;
      });
    });
}
