import type { TaskFailure, TaskRecord, TaskState } from '../engine/task.js';
import type { Json } from '../engine/json.js';
import type { Schedule } from './schedule.js';

/** A schedule with its last run and its next runs, for administration pages. It is JSON; times are ISO text in UTC. */
export interface ScheduleStatus {
  readonly id: string;
  /** The name of the schedule's task. */
  readonly task: string;
  readonly queue: string;
  readonly args: readonly Json[];
  /** The cron expression, or `every 10m`; empty when a broken schedule has neither. */
  readonly expression: string;
  /** The cron expression; `null` when the schedule has a period. */
  readonly cron: string | null;
  /** The period in milliseconds; `null` when the schedule has a cron expression. */
  readonly every: number | null;
  /** The time zone of the cron expression, an IANA name. */
  readonly timezone: string;
  readonly overlap: 'skip' | 'allow';
  readonly catchUp: 'none' | 'one';
  /** The schedule has no tick after this time; `null` when it has no end. */
  readonly endsAt: string | null;
  /** The schedule ends after this number of runs; `null` when it has no limit. */
  readonly limit: number | null;
  /** Runs since the schedule's timing was last changed; `limit` bounds this number. */
  readonly runs: number;
  /** What created the schedule: `@Schedule()` (`decorator`) or `TaskSchedules.upsert()` (`runtime`). */
  readonly source: 'decorator' | 'runtime';
  readonly paused: boolean;
  /**
   * Why the stored schedule cannot be read, or `null` when it can: it is not valid, or a later version of this package
   * stored it. A broken schedule has no tick, and its other fields have what could be read. `upsert()` replaces it,
   * `remove()` removes it.
   */
  readonly broken: string | null;
  /** The next tick; `null` when the schedule is paused, broken or has ended. */
  readonly nextRun: string | null;
  /** The next five ticks, or fewer when the schedule ends before. */
  readonly nextRuns: readonly string[];
  /** `null` before the first run. */
  readonly lastRun: ScheduledRun | null;
  /** The last tick that `overlap: 'skip'` or a full queue left out; `null` when there was none. */
  readonly lastSkip: SkippedRun | null;
}

/** A run of a schedule, at a tick or by `runNow()`. */
export interface ScheduledRun {
  /** The id of the task, for `taskQueue.handle(id)` and `GET /tasks/:id`. */
  readonly id: string;
  /** The tick for which the task was enqueued; `null` for a run by `runNow()`. */
  readonly tick: string | null;
  readonly enqueuedAt: string;
  /** The state of the task; `null` when the task is not stored any more and its end was not recorded. */
  readonly state: TaskState | null;
  /** When the task ended; `null` when it has not ended, or when that is unknown. */
  readonly finishedAt: string | null;
  readonly error: { readonly name: string; readonly message: string; readonly code?: string } | null;
}

/** A tick that was skipped, because an earlier run had not ended, or the queue was full. */
export interface SkippedRun {
  readonly tick: string;
  /** The id of the task that had not ended; `QUEUE_FULL` when the queue had `maxQueued` tasks. */
  readonly because: string;
}

/** The number of ticks in `nextRuns`. */
const NEXT_RUNS = 5;

/** @param record the record of {@link Schedule.lastTask}; `undefined` when the task is not stored any more */
export function toScheduleStatus(schedule: Schedule, record: TaskRecord | undefined, now: number): ScheduleStatus {
  const { stored, skip } = schedule;
  const nextRuns = schedule.upcoming(now, NEXT_RUNS).map(isoText);
  return {
    id: stored.id,
    task: stored.template.name,
    queue: stored.template.queue,
    args: stored.template.args,
    expression: stored.cron ?? (stored.every === undefined ? '' : `every ${durationText(stored.every)}`),
    cron: stored.cron ?? null,
    every: stored.every ?? null,
    timezone: stored.timezone,
    overlap: stored.overlap,
    catchUp: stored.catchUp,
    endsAt: stored.endsAt === undefined ? null : isoText(stored.endsAt),
    limit: stored.limit ?? null,
    runs: schedule.runs,
    source: stored.source,
    paused: schedule.paused,
    broken: schedule.broken?.reason ?? null,
    nextRun: nextRuns[0] ?? null,
    nextRuns,
    lastRun: lastRun(schedule, record),
    lastSkip: skip ? { tick: isoText(skip.tick), because: skip.because } : null,
  };
}

function lastRun(schedule: Schedule, record: TaskRecord | undefined): ScheduledRun | null {
  const { lastTask: id, run, manual } = schedule;
  if (id === undefined) return null;
  const byTick = run?.task === id;
  const end = schedule.end?.task === id ? schedule.end : undefined;
  const { state = null, finishedAt = null, error = null } = record ?? end ?? {};
  return {
    id,
    tick: byTick ? isoText(run.tick) : null,
    enqueuedAt: isoText((byTick ? run.at : manual?.at) ?? 0),
    state,
    finishedAt: finishedAt === null ? null : isoText(finishedAt),
    error: error && publicPart(error),
  };
}

/** The part of a failure that is stored with the schedule and shown: everything but the stack. */
export function publicPart({ name, message, code }: TaskFailure): NonNullable<ScheduledRun['error']> {
  return { name, message, ...(code !== undefined && { code }) };
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const;

/** A duration in the largest unit that gives a whole number, so that a user can type it in again. */
function durationText(milliseconds: number): string {
  const [unit, size] = UNITS.find(([, length]) => milliseconds % length === 0) ?? (['ms', 1] as const);
  return `${milliseconds / size}${unit}`;
}

export function isoText(time: number): string {
  return new Date(time).toISOString();
}
