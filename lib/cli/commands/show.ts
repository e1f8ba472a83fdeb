import type { Command } from 'commander';
import type { TaskDetails } from '../../admin/task-details.js';
import type { BlockReason } from '../../engine/task.js';
import type { CommandContext } from '../command-context.js';
import type { Output } from '../output.js';
import { printable, stateText } from '../style.js';
import { shorten } from '../table.js';
import { ageText, count, durationText, timeText } from '../words.js';

/** What a queued task waits for. */
const BLOCKS: Readonly<Record<BlockReason, string>> = {
  paused: 'its queue is paused; see status, then resume it',
  'rate-limit': 'the rate limit of its queue',
  concurrency: 'a place: all that its queue may run at once are taken',
  key: 'another task with the same key',
  'no-worker': 'a worker: no live one takes tasks from its queue',
};

/** The most members that are shown one by one. */
const MOST_MEMBERS = 20;
/** The most characters of a value that is shown to people; `--json` has all of it. */
const LONGEST_VALUE = 2_000;

export function addShow(program: Command, context: CommandContext): void {
  program
    .command('show <id>')
    .description('one task with everything that is stored of it')
    .action((id: string, _options: unknown, command: Command) =>
      context.withStore(command, async ({ operator, out }) => {
        const found = await operator.task(id);
        const now = await operator.now();
        out.print(found, (details) => detailsText(details, out, now));
      }),
    );
}

/** @param now milliseconds */
export function detailsText(details: TaskDetails, out: Pick<Output, 'table' | 'style'>, now: number): string {
  const { style } = out;
  const { state, error } = details;
  const rows: [name: string, value: string | null][] = [
    ['id', details.id],
    ['queue', details.queue],
    ['state', stateText(state, state, style)],
    ['waits for', details.blockedBy && style.yellow(BLOCKS[details.blockedBy])],
    ['attempt', `${details.attempt} of ${details.maxAttempts}`],
    ['enqueued', withAge(details.enqueuedAt, now)],
    ['due', timeText(details.options.startAt ?? null)],
    ['started', withAge(details.startedAt, now)],
    ['finished', withAge(details.finishedAt, now)],
    ['ran for', tookText(details.startedAt, details.finishedAt)],
    ['kept until', timeText(details.expiresAt)],
    ['schedule', details.schedule],
    ['parent', details.parent],
    ['log', details.logLength === 0 ? null : `${count(details.logLength, 'line')}, see: logs ${details.id}`],
    ['arguments', jsonText(details.args)],
    ['headers', Object.keys(details.headers).length === 0 ? null : jsonText(details.headers)],
    ['options', Object.keys(details.options).length === 0 ? null : jsonText(details.options)],
    ['progress', details.progress === null ? null : jsonText(details.progress)],
    ['result', details.result === null ? null : jsonText(details.result)],
    ['error', error && style.red(printable(`${error.name}: ${error.message}`))],
  ];
  const head = `${style.bold(printable(details.name))}\n`;
  const lines = rows.map(([name, value]) => (value === null ? '' : `${style.dim(name.padEnd(11))} ${value}\n`));
  return `${head}${lines.join('')}${stackText(error?.stack, out)}${attemptsText(details, out)}${membersText(details, out)}`;
}

function withAge(time: string | null, now: number): string | null {
  return time === null ? null : `${timeText(time)} (${ageText(time, now)} ago)`;
}

function tookText(startedAt: string | null, endedAt: string | null): string | null {
  if (startedAt === null || endedAt === null) return null;
  return durationText(Date.parse(endedAt) - Date.parse(startedAt));
}

function jsonText(value: unknown): string {
  return shorten(printable(JSON.stringify(value)), LONGEST_VALUE);
}

/** The lines of the stack behind its first one, which repeats the error. */
function stackText(stack: string | undefined, { style }: Pick<Output, 'style'>): string {
  const frames = stack?.split('\n').filter((line) => /^\s+at /.test(line)) ?? [];
  return frames.map((line) => `${style.dim(printable(line))}\n`).join('');
}

/** One attempt says no more than the lines above, unless it was lost. */
function attemptsText({ attempts }: TaskDetails, out: Pick<Output, 'table' | 'style'>): string {
  if (attempts.length < 2 && attempts[0]?.outcome !== 'lost') return '';
  const table = out.table(attempts, [
    { title: 'ATTEMPT', value: ({ number }) => number, align: 'right' },
    { title: 'STARTED', value: ({ startedAt }) => timeText(startedAt) },
    { title: 'TOOK', value: ({ startedAt, endedAt }) => tookText(startedAt, endedAt), align: 'right' },
    { title: 'OUTCOME', value: ({ outcome }) => outcome ?? 'running' },
    { title: 'WORKER', value: ({ worker }) => worker },
    { title: 'ERROR', value: ({ error }) => error && `${error.name}: ${error.message}`, shrinks: true },
  ]);
  return `\n${table}`;
}

function membersText({ members }: TaskDetails, out: Pick<Output, 'table' | 'style'>): string {
  if (members.length === 0) return '';
  const table = out.table(members.slice(0, MOST_MEMBERS), [
    { title: 'MEMBER', value: ({ id }) => id },
    { title: 'TASK', value: ({ name }) => name, shrinks: true },
    {
      title: 'STATE',
      value: ({ state }) => state,
      paint: (text, { state }) => (state === null ? text : stateText(text, state, out.style)),
    },
  ]);
  const more = members.length > MOST_MEMBERS ? `and ${members.length - MOST_MEMBERS} more\n` : '';
  return `\n${table}${more}`;
}
