import { finding, type Finding } from '../engine/ports/diagnosis-port.js';
import type { QueueInfo } from './queue-overview.js';
import type { ShardInfo } from './shard-info.js';
import type { WorkerInfo } from './worker-info.js';

/** What {@link problemsOf} has to know of a schedule. */
export interface ScheduleState {
  readonly id: string;
  readonly broken: string | null;
}

/** What was read of a store. */
export interface StoreState {
  readonly queues: readonly QueueInfo[];
  readonly workers: readonly WorkerInfo[];
  readonly schedules: readonly ScheduleState[];
  /** Default: none is known to be missing. */
  readonly shards?: readonly ShardInfo[];
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Names that one sentence lists; the others are counted. */
const MOST_NAMES = 5;
/** Milliseconds that the first task of a queue may wait before it is worth a word. */
const LONG_WAIT = 10 * 60_000;

/** What is wrong right now, in words and with the cure; the worst comes first. An empty list: nothing is. */
export function problemsOf(state: StoreState): Finding[] {
  const problems = [
    ...shardProblems(state),
    ...queueProblems(state),
    ...workerProblems(state),
    ...scheduleProblems(state),
  ];
  return problems.toSorted((a, b) => Number(b.level === 'fail') - Number(a.level === 'fail'));
}

function shardProblems({ shards = [] }: StoreState): Finding[] {
  return shards.flatMap(({ name, reachable, error }) =>
    reachable
      ? []
      : [
          finding(
            'shards',
            'fail',
            `The queues of the shard ${name} are not shown: ${error ?? 'it does not answer.'}`,
            'Start the server of the shard, or correct its connection or its rights. Its tasks wait there meanwhile.',
          ),
        ],
  );
}

function queueProblems({ queues, now }: StoreState): Finding[] {
  return queues.flatMap((queue) => queueProblem(queue, now) ?? []);
}

/** The first reason why the tasks of a queue do not run as they should: the others mostly follow from it. */
function queueProblem(queue: QueueInfo, now: number): Finding | undefined {
  const { name, paused, workers, counts, oldestQueuedAt } = queue;
  const waiting = counts.queued + counts.scheduled;
  const age = oldestQueuedAt === null ? 0 : now - Date.parse(oldestQueuedAt);
  const oldest = age >= 60_000 ? `, the oldest for ${roughly(age)}` : '';
  if (paused) {
    const level = counts.queued > 0 ? 'fail' : 'warn';
    const text = `Queue ${name} is paused${pausedBy(queue)}: ${plural(counts.queued, 'task')} ${counts.queued === 1 ? 'waits' : 'wait'}${oldest}.`;
    return finding('paused', level, text, `npx nestjs-task-queue resume ${name}`);
  }
  if (workers === 0 && waiting > 0) {
    const text = `Queue ${name} has ${plural(waiting, 'task')}${oldest}, and no worker takes from it.`;
    return finding(
      'workers',
      'fail',
      text,
      'Start the application that declares its tasks, with the role both or worker. See consume and TASK_QUEUE_CONSUME, and the name of the queue.',
    );
  }
  if (age < LONG_WAIT) return undefined;
  return finding(
    'backlog',
    'warn',
    `Queue ${name} is behind: ${plural(counts.queued, 'task')} ${counts.queued === 1 ? 'waits' : 'wait'}${oldest}, ${plural(counts.running, 'task')} run.`,
    `See what runs for long (npx nestjs-task-queue list --queue ${name} --running-for 5m), then add workers or raise concurrency.`,
  );
}

/** Queues that were paused by `TaskAdmin` know by whom; others were paused by another program. */
function pausedBy({ pausedBy: act }: QueueInfo): string {
  if (!act) return '';
  return ` by ${act.by} since ${timeOf(act.at)}${act.reason ? ` (${act.reason})` : ''}`;
}

function workerProblems({ workers }: StoreState): Finding[] {
  const lost = workers.filter(({ state }) => state === 'lost');
  if (lost.length === 0) return [];
  const names = listText(lost.map(({ host, pid, seenAt }) => `${host} (process ${pid}, last seen ${timeOf(seenAt)})`));
  return [
    finding(
      'lost workers',
      'warn',
      `${plural(lost.length, 'worker')} ${lost.length === 1 ? 'was' : 'were'} lost in the last ten minutes: ${names}.`,
      'Tasks of lost workers run again elsewhere by themselves. See why the process ended: its log, the memory limit of its host, the deploy.',
    ),
  ];
}

function scheduleProblems({ schedules }: StoreState): Finding[] {
  return schedules.flatMap(({ id, broken }) =>
    broken === null
      ? []
      : [
          finding(
            'schedules',
            'fail',
            `The schedule ${id} is broken and does not run: ${broken}`,
            'Set it again with TaskSchedules.upsert(), or remove it.',
          ),
        ],
  );
}

function plural(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;
}

function listText(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).join(', ');
  return names.length > MOST_NAMES ? `${shown} and ${names.length - MOST_NAMES} more` : shown;
}

/** `2026-11-27 03:10 UTC` */
function timeOf(iso: string): string {
  return `${iso.slice(0, 16).replace('T', ' ')} UTC`;
}

/** The largest unit of a time: `3 minutes`. */
function roughly(milliseconds: number): string {
  const minutes = Math.floor(milliseconds / 60_000);
  if (minutes < 120) return plural(minutes, 'minute');
  return minutes < 2_880 ? plural(Math.floor(minutes / 60), 'hour') : plural(Math.floor(minutes / 1_440), 'day');
}
