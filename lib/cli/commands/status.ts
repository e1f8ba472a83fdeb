import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { problemsOf } from '../../admin/problems.js';
import type { QueueInfo, RecentCounts } from '../../admin/queue-overview.js';
import type { WorkerInfo } from '../../admin/worker-info.js';
import type { Duration } from '../../duration.js';
import { parseTimerDuration } from '../../duration.js';
import type { Finding } from '../../engine/ports/diagnosis-port.js';
import type { Operator } from '../../operator/operations.js';
import type { CommandContext } from '../command-context.js';
import { wrongUsage } from '../exit-code.js';
import type { Output } from '../output.js';
import { printable } from '../style.js';
import type { Column } from '../table.js';
import { ageText, count } from '../words.js';

interface StatusFlags {
  readonly watch?: true;
  readonly interval: Duration;
}

/** What `status --json` prints. */
export interface StatusReport {
  /** Where the tasks are stored. */
  readonly place: string;
  readonly queues: readonly QueueInfo[];
  readonly workers: readonly WorkerInfo[];
  /** What is wrong right now, the worst first. */
  readonly problems: readonly Finding[];
}

/** Moves the cursor to the upper left corner, and clears the screen from there. */
const CLEAR = '\u001B[H\u001B[J';

export function addStatus(program: Command, context: CommandContext): void {
  program
    .command('status')
    .description('queues, workers, and what is wrong right now')
    .option('-w, --watch', 'show it again and again, until Ctrl-C')
    .option('--interval <duration>', 'of --watch', '2s')
    .action((flags: StatusFlags, command: Command) => {
      const interval = intervalOf(flags.interval);
      return context.withStore(command, async ({ operator, place, out, terminal }) => {
        const show = async () => {
          const { report, now } = await reportOf(operator, place);
          if (flags.watch && !out.isJson && out.width !== undefined) out.write(CLEAR);
          if (flags.watch && out.isJson) out.write(`${JSON.stringify(out.masked(report))}\n`);
          else out.print(report, (shown) => statusText(shown, out, now));
        };
        if (!flags.watch) return show();
        return terminal.untilInterrupted(async (signal) => {
          while (!signal.aborted) {
            await show();
            await sleep(interval, undefined, { signal }).catch(() => undefined);
          }
        });
      });
    });
}

function intervalOf(text: Duration): number {
  try {
    const interval = parseTimerDuration(text, '--interval');
    if (interval >= 100) return interval;
  } catch (error) {
    throw wrongUsage((error as Error).message);
  }
  throw wrongUsage(`--interval is ${text}. Give at least 100ms.`);
}

async function reportOf(
  operator: Operator,
  place: string,
): Promise<{ readonly report: StatusReport; readonly now: number }> {
  const [shards, queues, workers, schedules] = await Promise.all([
    ...([operator.shards(), operator.queues(), operator.workers(), operator.schedules()] as const),
  ]);
  const now = await operator.now();
  const problems = problemsOf({ shards, queues, workers, schedules, now });
  return { report: { place, queues, workers, problems }, now };
}

/** @param now milliseconds */
export function statusText(
  { place, queues, workers, problems }: StatusReport,
  out: Pick<Output, 'table' | 'style'>,
  now: number,
): string {
  const { style } = out;
  const alive = workers.filter(({ state }) => state === 'alive').length;
  const time = `${new Date(now).toISOString().slice(11, 19)} UTC`;
  const head = `${style.bold(printable(place))}  ${style.dim(`${count(alive, 'worker')}, ${time}`)}\n\n`;
  const table =
    queues.length === 0
      ? 'There is no queue yet.\n'
      : out.table(
          queues,
          columns(
            out,
            now,
            queues.some(({ shard }) => shard !== undefined),
          ),
        );
  return `${head}${table}\n${problemsText(problems, out)}`;
}

function columns({ style }: Pick<Output, 'style'>, now: number, hasShards: boolean): Column<QueueInfo>[] {
  const number = (title: string, value: (queue: QueueInfo) => number, paint?: (text: string) => string) => ({
    title,
    value,
    align: 'right' as const,
    paint: (text: string, queue: QueueInfo) => {
      if (value(queue) === 0) return style.dim(text);
      return paint ? paint(text) : text;
    },
  });
  return [
    { title: 'QUEUE', value: ({ name }) => name, shrinks: true },
    ...(hasShards ? [{ title: 'SHARD', value: ({ shard = '' }: QueueInfo) => shard }] : []),
    {
      title: 'STATE',
      value: stateOf,
      paint: (text, queue) => (stateOf(queue) === 'open' ? style.green(text) : style.red(text)),
    },
    number('QUEUED', ({ counts }) => counts.queued),
    { title: 'OLDEST', value: ({ oldestQueuedAt }) => ageText(oldestQueuedAt, now), align: 'right' },
    number('RUNNING', ({ counts }) => counts.running, style.cyan),
    number('SCHEDULED', ({ counts }) => counts.scheduled),
    number('WAITING', ({ counts }) => counts.waiting),
    number('SUCCEEDED', ({ counts }) => counts.succeeded),
    number('FAILED', ({ counts }) => counts.failed, style.red),
    { title: 'LAST MINUTE', value: ({ lastMinute }) => recentText(lastMinute), align: 'right' },
    number('WORKERS', ({ workers }) => workers),
  ];
}

/** `12 ok, 1 failed, 3 retried` without what did not happen. */
function recentText({ succeeded, failed, retried }: RecentCounts): string | null {
  const parts = [
    [succeeded, 'ok'],
    [failed, 'failed'],
    [retried, 'retried'],
  ] as const;
  const happened = parts.filter(([number]) => number > 0);
  return happened.length === 0 ? null : happened.map(([number, what]) => `${number} ${what}`).join(', ');
}

function stateOf({ paused, workers, counts }: QueueInfo): string {
  if (paused) return 'paused';
  return workers === 0 && counts.queued + counts.scheduled > 0 ? 'no worker' : 'open';
}

function problemsText(problems: readonly Finding[], { style }: Pick<Output, 'style'>): string {
  if (problems.length === 0) return `${style.green('All is well.')}\n`;
  return problems
    .map(({ level, text, cure }) => {
      const mark = level === 'fail' ? style.red('✗') : style.yellow('!');
      return `${mark} ${printable(text)}\n  ${style.dim(`→ ${printable(cure ?? '')}`)}\n`;
    })
    .join('');
}
