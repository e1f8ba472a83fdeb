import type { DeclaredCode } from '../engine/declared-code.js';
import type { TaskState } from '../engine/task.js';
import type { TaskTemplate } from '../tasks/task-template.js';
import { isTime } from './stored-record.js';
import type { ParsedTiming } from './timetable.js';

/** A schedule as it is stored for all processes. */
export interface StoredSchedule extends ParsedTiming {
  readonly id: string;
  readonly source: 'decorator' | 'runtime';
  readonly overlap: 'skip' | 'allow';
  readonly catchUp: 'none' | 'one';
  /** The schedule has no tick after this time. */
  readonly endsAt?: number;
  /** The schedule ends after this number of runs since {@link since}. */
  readonly limit?: number;
  readonly template: TaskTemplate;
  /** The application that declares it; not set for a schedule that was made at run time. */
  readonly application?: string;
  /** The last change of its timing. Ticks at or before this time do not count. */
  readonly since: number;
}

/** What is stored of one schedule, apart from its runs. */
export interface ScheduleTexts {
  readonly schedule: string;
  readonly pause: string | undefined;
}

/** Whether a schedule is paused. */
export interface StoredPause {
  readonly paused: boolean;
  /** When it was paused or resumed. */
  readonly at: number;
}

/** The record of a tick for which a task was enqueued. */
export interface StoredRun {
  /** The id of the task. */
  readonly task: string;
  readonly at: number;
  /** The number of the run, counted since the schedule's timing was last changed; 1 for the first. */
  readonly count: number;
}

/** The record of a tick that was skipped, because an earlier run had not ended, or the queue was full. */
export interface StoredSkip {
  /** The id of the task of that run, or `QUEUE_FULL`. */
  readonly because: string;
  readonly at: number;
}

/** A stored record with the tick it belongs to. */
export type AtTick<T> = T & { readonly tick: number };

/**
 * The latest tick with a run and the latest skipped tick, under a key that is known without their times. Its `count` is the
 * highest of all runs. The last writer wins, and it may have been slower than the writer of a later tick: then the record is
 * behind until the next tick, or until a worker reads all records.
 */
export interface StoredLast {
  readonly run: AtTick<StoredRun> | undefined;
  readonly skip: AtTick<StoredSkip> | undefined;
}

/** The last run by `runNow()`. */
export interface StoredManualRun {
  /** The id of the task. */
  readonly task: string;
  readonly at: number;
}

/** How the task of the last run ended. It is kept longer than the task's own record. */
export interface StoredEnd {
  /** The id of the task. */
  readonly task: string;
  readonly state: TaskState;
  readonly finishedAt: number | null;
  readonly error: { readonly name: string; readonly message: string; readonly code?: string } | null;
}

/** A version of the code that declares schedules of a queue; see reconcile.ts. */
export interface StoredVersion {
  /** When the first process of the version appeared. */
  readonly since: number;
  /** The last sign of life of a process of the version. */
  readonly seen: number;
  /** What the version declares; `undefined` for a version that 0.1.0 stored. */
  readonly code?: DeclaredCode | undefined;
}

/**
 * The keys of the store. Each key has one kind of writer and is written as a whole, and each handled tick has a key of
 * its own. So processes that do the same at the same time, or late, never undo each other's work.
 */
export const keys = {
  schedule: (id: string) => `schedule:${id}`,
  pause: (id: string) => `pause:${id}`,
  run: (id: string, tick: number) => `run:${tick}:${id}`,
  skip: (id: string, tick: number) => `skip:${tick}:${id}`,
  last: (id: string) => `last:${id}`,
  manual: (id: string) => `manual:${id}`,
  end: (id: string) => `end:${id}`,
  version: (queue: string, fingerprint: string) => `version:${queue}:${fingerprint}`,
};

/** The parts of a key. */
export type ParsedKey =
  | { readonly kind: 'schedule' | 'pause' | 'last' | 'manual' | 'end'; readonly id: string }
  | { readonly kind: 'run' | 'skip'; readonly id: string; readonly tick: number }
  | { readonly kind: 'version'; readonly queue: string; readonly fingerprint: string };

/** @returns `undefined` for a key that is not one of {@link keys} */
export function parseKey(key: string): ParsedKey | undefined {
  const [, kind, id = ''] = /^(schedule|pause|last|manual|end):(.+)$/s.exec(key) ?? [];
  if (kind) return { kind: kind as 'schedule', id };
  const [, event, tick = '', of = ''] = /^(run|skip):(\d+):(.+)$/s.exec(key) ?? [];
  if (event) return isTime(Number(tick)) ? { kind: event as 'run', id: of, tick: Number(tick) } : undefined;
  const [, queue, fingerprint = ''] = /^version:([^:]+):(.+)$/s.exec(key) ?? [];
  return queue === undefined ? undefined : { kind: 'version', queue, fingerprint };
}

type Timed = Pick<StoredSchedule, 'cron' | 'every' | 'timezone' | 'endsAt' | 'limit'>;

/**
 * Whether two schedules have the same ticks. A schedule whose ticks change begins anew: no earlier tick counts as
 * missed, and its runs are counted from 0.
 */
export function sameTiming(a: Timed, b: Timed): boolean {
  return (
    a.cron === b.cron &&
    a.every === b.every &&
    a.timezone === b.timezone &&
    a.endsAt === b.endsAt &&
    a.limit === b.limit
  );
}
