import type { TaskState } from '../engine/task.js';
import type { TaskTemplate } from '../tasks/task-template.js';
import type { ParsedTiming } from './timetable.js';

/** A schedule as all processes share it. */
export interface StoredSchedule extends ParsedTiming {
  readonly id: string;
  readonly source: 'decorator' | 'runtime';
  readonly overlap: 'skip' | 'allow';
  readonly catchUp: 'none' | 'one';
  /** No tick after this. */
  readonly endsAt?: number;
  /** So many runs since {@link since}, then no more. */
  readonly limit?: number;
  readonly template: TaskTemplate;
  /** When its timing was last changed: no tick up to here was ever meant. */
  readonly since: number;
}

/** Whether a schedule is paused, since when, or since when no more. */
export interface StoredPause {
  readonly paused: boolean;
  readonly at: number;
}

/** What became of a tick: a task was enqueued. */
export interface StoredRun {
  /** Of the task. */
  readonly task: string;
  readonly at: number;
  /** Which run it is, counted since the schedule's timing was changed. */
  readonly count: number;
}

/** What became of a tick: it was left out, since this task had not ended. */
export interface StoredSkip {
  readonly because: string;
  readonly at: number;
}

/** A run that somebody asked for. */
export interface StoredManualRun {
  readonly task: string;
  readonly at: number;
}

/** How the task of the last run ended: kept beyond its own time to live. */
export interface StoredEnd {
  readonly task: string;
  readonly state: TaskState;
  readonly finishedAt: number | null;
  readonly error: { readonly name: string; readonly message: string; readonly code?: string } | null;
}

/** A version of the code that decorates schedules of a queue; see reconcile.ts. */
export interface StoredVersion {
  /** When the first process of it appeared. */
  readonly since: number;
  /** When a process of it was last heard of. */
  readonly seen: number;
}

/**
 * Where all this stands in the store. Each key has one kind of writer and is written as a whole, and what becomes of a
 * tick has a key of its own: so processes that do the same at the same time, or late, never undo each other's work.
 */
export const keys = {
  schedule: (id: string) => `schedule:${id}`,
  pause: (id: string) => `pause:${id}`,
  run: (id: string, tick: number) => `run:${tick}:${id}`,
  skip: (id: string, tick: number) => `skip:${tick}:${id}`,
  manual: (id: string) => `manual:${id}`,
  end: (id: string) => `end:${id}`,
  version: (queue: string, fingerprint: string) => `version:${queue}:${fingerprint}`,
};

/** One key, understood; `undefined` for what is not ours. */
export type ParsedKey =
  | { readonly kind: 'schedule' | 'pause' | 'manual' | 'end'; readonly id: string }
  | { readonly kind: 'run' | 'skip'; readonly id: string; readonly tick: number }
  | { readonly kind: 'version'; readonly queue: string; readonly fingerprint: string };

export function parseKey(key: string): ParsedKey | undefined {
  const [, kind, id = ''] = /^(schedule|pause|manual|end):(.+)$/s.exec(key) ?? [];
  if (kind) return { kind: kind as 'schedule', id };
  const [, event, tick = '', of = ''] = /^(run|skip):(\d+):(.+)$/s.exec(key) ?? [];
  if (event) return { kind: event as 'run', id: of, tick: Number(tick) };
  const [, queue, fingerprint = ''] = /^version:([^:]+):(.+)$/s.exec(key) ?? [];
  return queue === undefined ? undefined : { kind: 'version', queue, fingerprint };
}

/** What a text of the store says; `undefined` when there is none, or none that can be read. */
export function parseText<T>(text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}

type Timed = Pick<StoredSchedule, 'cron' | 'every' | 'timezone' | 'endsAt' | 'limit'>;

/** Whether two schedules mean the same ticks. One whose ticks change begins anew, with nothing missed and no run counted. */
export function sameTiming(a: Timed, b: Timed): boolean {
  return (
    a.cron === b.cron &&
    a.every === b.every &&
    a.timezone === b.timezone &&
    a.endsAt === b.endsAt &&
    a.limit === b.limit
  );
}
