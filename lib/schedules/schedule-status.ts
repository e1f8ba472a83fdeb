import type { TaskFailure, TaskRecord, TaskState } from '../engine/task.js';
import type { Json } from '../engine/json.js';
import type { Schedule } from './schedule.js';

/** A schedule as an administrator's page shows it. Times are ISO text. */
export interface ScheduleStatus {
  readonly id: string;
  /** The name of its task. */
  readonly task: string;
  readonly queue: string;
  readonly args: readonly Json[];
  /** The cron expression, or `every 10m`. */
  readonly expression: string;
  readonly cron: string | null;
  /** In milliseconds. */
  readonly every: number | null;
  readonly timezone: string;
  readonly overlap: 'skip' | 'allow';
  readonly catchUp: 'none' | 'one';
  readonly endsAt: string | null;
  readonly limit: number | null;
  /** Runs since its times were last changed: what `limit` goes by. */
  readonly runs: number;
  /** Where it comes from: `@Schedule()`, or `TaskSchedules.upsert()`. */
  readonly source: 'decorator' | 'runtime';
  readonly paused: boolean;
  /** `null` when it is paused or has come to its end. */
  readonly nextRun: string | null;
  /** The next five. */
  readonly nextRuns: readonly string[];
  readonly lastRun: ScheduledRun | null;
  readonly lastSkip: SkippedRun | null;
}

/** A run, by a tick or by `runNow()`. */
export interface ScheduledRun {
  /** Of the task: `taskQueue.handle(id)`, `GET /tasks/:id`. */
  readonly id: string;
  /** The time it was meant for; `null` when it was asked for by `runNow()`. */
  readonly tick: string | null;
  readonly enqueuedAt: string;
  /** How far it is or how it ended; `null` when that is not known any more. */
  readonly state: TaskState | null;
  readonly finishedAt: string | null;
  readonly error: { readonly name: string; readonly message: string; readonly code?: string } | null;
}

/** A tick that was left out, since an earlier run had not ended. */
export interface SkippedRun {
  readonly tick: string;
  /** The task that had not ended. */
  readonly because: string;
}

/** How many ticks to come are told. */
const NEXT_RUNS = 5;

/** @param record of {@link Schedule.lastTask}, as long as it can be asked for */
export function toScheduleStatus(schedule: Schedule, record: TaskRecord | undefined, now: number): ScheduleStatus {
  const { stored, skip } = schedule;
  const nextRuns = schedule.upcoming(now, NEXT_RUNS).map(isoText);
  return {
    id: stored.id,
    task: stored.template.name,
    queue: stored.template.queue,
    args: stored.template.args,
    expression: stored.cron ?? `every ${durationText(stored.every ?? 0)}`,
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

/** What of an error is kept with the schedule: no stack. */
export function publicPart({ name, message, code }: TaskFailure): NonNullable<ScheduledRun['error']> {
  return { name, message, ...(code !== undefined && { code }) };
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const;

/** In the largest unit that says it exactly, so that it can be typed in again. */
function durationText(milliseconds: number): string {
  const [unit, size] = UNITS.find(([, length]) => milliseconds % length === 0) ?? (['ms', 1] as const);
  return `${milliseconds / size}${unit}`;
}

function isoText(time: number): string {
  return new Date(time).toISOString();
}
