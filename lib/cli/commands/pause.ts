import type { Command } from 'commander';
import type { CommandContext } from '../command-context.js';

export function addPause(program: Command, context: CommandContext): void {
  program
    .command('pause <queue>')
    .description('let no worker start tasks of the queue, until it is resumed; running tasks go on')
    .option('--reason <text>', 'why; status shows it')
    .action((queue: string, { reason }: { reason?: string }, command: Command) =>
      context.withStore(command, async ({ operator, out, actor }) => {
        await operator.pause(queue, actor(reason));
        out.print({ queue, paused: true }, () => `Queue ${queue} is paused. Its tasks wait until: resume ${queue}\n`);
      }),
    );
  program
    .command('resume <queue>')
    .description('end the pause of a queue')
    .option('--reason <text>', 'why, for those who watch')
    .action((queue: string, { reason }: { reason?: string }, command: Command) =>
      context.withStore(command, async ({ operator, out, actor }) => {
        await operator.resume(queue, actor(reason));
        out.print({ queue, paused: false }, () => `Queue ${queue} is open.\n`);
      }),
    );
}
