import type { Command } from 'commander';
import type { ErrorGroups } from '../../admin/error-groups.js';
import type { CommandContext } from '../command-context.js';
import type { Output } from '../output.js';
import { wholeNumber } from '../parse-options.js';
import { ageText } from '../words.js';

interface ErrorsFlags {
  readonly queue?: string;
  readonly since?: string;
  readonly limit: number;
}

export function addErrors(program: Command, context: CommandContext): void {
  program
    .command('errors')
    .description('failed tasks, grouped by their errors; the fingerprint is for the option --error')
    .option('--queue <queue>', 'of this queue')
    .option('--since <time>', 'that failed since this time, or in the last: 1h, 2026-11-27T03:00Z')
    .option('--limit <errors>', 'the most errors', wholeNumber, 20)
    .action(({ queue, since, limit }: ErrorsFlags, command: Command) =>
      context.withStore(command, async ({ operator, out }) => {
        const found = await operator.errors({ queue, since, limit });
        const now = await operator.now();
        out.print(found, (groups) => groupsText(groups, out, now));
      }),
    );
}

function groupsText({ items, complete }: ErrorGroups, out: Pick<Output, 'table' | 'style'>, now: number): string {
  if (items.length === 0) return 'No task failed.\n';
  const table = out.table(items, [
    { title: 'FAILED', value: ({ count }) => count, align: 'right', paint: (text) => out.style.red(text) },
    { title: 'FINGERPRINT', value: ({ fingerprint }) => fingerprint },
    { title: 'FIRST', value: ({ first }) => `${ageText(first, now)} ago`, align: 'right' },
    { title: 'LAST', value: ({ last }) => `${ageText(last, now)} ago`, align: 'right' },
    { title: 'TASKS', value: ({ tasks }) => tasks.join(', '), shrinks: true },
    { title: 'EXAMPLE', value: ({ example }) => example.id },
    { title: 'ERROR', value: ({ name, message }) => `${name}: ${message}`, shrinks: true },
  ]);
  return complete ? table : `${table}${out.style.dim('More tasks failed; these are the last 10,000.')}\n`;
}
