import type { Command } from 'commander';
import type { TaskPage } from '../../admin/task-page.js';
import type { TaskStatus } from '../../results/task-status.js';
import type { CommandContext } from '../command-context.js';
import { filterOf, withFilterOptions, type FilterFlags } from '../filter-options.js';
import type { Output } from '../output.js';
import { stateText } from '../style.js';
import { ageText } from '../words.js';
import { wholeNumber } from '../parse-options.js';

interface ListFlags extends FilterFlags {
  readonly limit: number;
  readonly cursor?: string;
}

export function addList(program: Command, context: CommandContext): void {
  withFilterOptions(program.command('list').description('the tasks that match all options, page by page'))
    .option('--limit <tasks>', 'the most tasks of the page, up to 1000', wholeNumber, 50)
    .option('--cursor <cursor>', 'the next page: the cursor that the page before ended with')
    .action((flags: ListFlags, command: Command) => {
      const filter = filterOf(flags);
      const { limit, cursor } = flags;
      return context.withStore(command, async ({ operator, out }) => {
        const page = await operator.tasks(filter, { limit, ...(cursor !== undefined && { cursor }) });
        const now = await operator.now();
        out.print(page, (shown) => pageText(shown, out, now));
      });
    });
}

function pageText(page: TaskPage, out: Pick<Output, 'table' | 'style'>, now: number): string {
  const { missingShards = [] } = page;
  if (missingShards.length === 0) return foundText(page, out, now);
  return `${foundText(page, out, now)}${out.style.red(`These shards cannot be reached: ${missingShards.join(', ')}`)}\n`;
}

function foundText({ items, cursor, complete }: TaskPage, out: Pick<Output, 'table' | 'style'>, now: number): string {
  const table = items.length === 0 ? (cursor === null ? 'No task matches.\n' : '') : tasksTable(items, out, now);
  if (cursor === null) return table;
  const why = complete ? 'There are more' : 'Only a part was searched';
  return `${table}${out.style.dim(`${why}: --cursor ${cursor}`)}\n`;
}

export function tasksTable(tasks: readonly TaskStatus[], out: Pick<Output, 'table' | 'style'>, now: number): string {
  return out.table(tasks, [
    { title: 'ID', value: ({ id }) => id },
    { title: 'TASK', value: ({ name }) => name, shrinks: true },
    { title: 'STATE', value: ({ state }) => state, paint: (text, { state }) => stateText(text, state, out.style) },
    { title: 'ATTEMPT', value: ({ attempt, maxAttempts }) => `${attempt}/${maxAttempts}`, align: 'right' },
    { title: 'AGE', value: ({ enqueuedAt }) => ageText(enqueuedAt, now), align: 'right' },
    { title: 'RAN', value: (task) => ranText(task, now), align: 'right' },
    { title: 'ERROR', value: ({ error }) => error && `${error.name}: ${error.message}`, shrinks: true },
  ]);
}

/** How long the last attempt took, or has been running. */
function ranText({ startedAt, finishedAt, state }: TaskStatus, now: number): string | null {
  if (startedAt === null || (finishedAt === null && state !== 'running')) return null;
  return ageText(startedAt, finishedAt === null ? now : Date.parse(finishedAt));
}
