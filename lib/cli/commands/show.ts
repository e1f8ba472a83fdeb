import type { Command } from 'commander';
import type { TaskStatus } from '../../results/task-status.js';
import type { CommandContext } from '../command-context.js';
import { CommandError } from '../exit-code.js';
import { printable } from '../style.js';
import { timeText } from '../words.js';

export function addShow(program: Command, context: CommandContext): void {
  program
    .command('show <id>')
    .description('one task with everything that is stored of it')
    .action((id: string, _options: unknown, command: Command) =>
      context.withStore(command, async ({ operator, out }) => {
        const status = await operator.status(id);
        if (status === null) throw taskNotFound(id);
        out.print(status, statusText);
      }),
    );
}

export function taskNotFound(id: string): CommandError {
  return new CommandError(
    `There is no task "${id.slice(0, 100)}": it never existed, was forgotten, or its time is over.`,
  );
}

function statusText(status: TaskStatus): string {
  const rows: [string, string | null][] = [
    ['task', status.name],
    ['id', status.id],
    ['queue', status.queue],
    ['state', status.state],
    ['attempt', `${status.attempt} of ${status.maxAttempts}`],
    ['enqueued', timeText(status.enqueuedAt)],
    ['started', timeText(status.startedAt)],
    ['finished', timeText(status.finishedAt)],
    ['kept until', timeText(status.expiresAt)],
    ['progress', status.progress === null ? null : JSON.stringify(status.progress)],
    ['result', status.result === null ? null : JSON.stringify(status.result)],
    ['error', status.error === null ? null : `${status.error.name}: ${status.error.message}`],
  ];
  return rows
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name.padEnd(11)} ${printable(value ?? '')}\n`)
    .join('');
}
