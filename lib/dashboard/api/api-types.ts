import type { ErrorGroups } from '../../admin/error-groups.js';
import type { QueueInfo } from '../../admin/queue-overview.js';
import type { StatsGroup } from '../../admin/statistics-groups.js';
import type { TaskAttempt } from '../../admin/task-attempt.js';
import type { TaskDetails } from '../../admin/task-details.js';
import type { TaskStats } from '../../admin/task-stats.js';
import type { WorkerInfo } from '../../admin/worker-info.js';
import type { Finding } from '../../engine/ports/diagnosis-port.js';
import type { TaskStatus } from '../../results/task-status.js';
import type { ScheduledRun, ScheduleStatus } from '../../schedules/schedule-status.js';
import type { ShownValue } from './shown-value.js';

/** What all views show of the store as a whole. */
export interface Overview {
  /** The time of the store's clock. */
  readonly at: string;
  readonly queues: readonly QueueInfo[];
  readonly workers: readonly WorkerInfo[];
  /** What is wrong right now; the worst comes first. */
  readonly problems: readonly Finding[];
}

export type Span = 'hour' | 'day' | 'week';

/** The most tasks that waited, and that ran, at one of the times at which a process looked. */
export interface Depth {
  readonly queued: number;
  readonly running: number;
}

export interface Series {
  readonly span: Span;
  /** Milliseconds. */
  readonly step: number;
  readonly points: readonly TaskStats[];
  /** For each point the most tasks that waited and that ran at once; `null` where this process has not looked. */
  readonly depth: readonly (Depth | null)[];
  /** The span of the same length before. */
  readonly before: Pick<TaskStats, 'enqueued' | 'succeeded' | 'failed' | 'retried'>;
  readonly queues: readonly StatsGroup[];
  /** The names of tasks with the most attempts. */
  readonly names: readonly StatsGroup[];
}

/** A status without its result, as lists and events have it. */
export interface TaskRow extends Omit<TaskStatus, 'result' | 'progress'> {
  /** Left out of the JSON. */
  readonly result: undefined;
  readonly progress: {
    readonly current: number;
    readonly total: number | null;
    /** Whether `total` is an estimate. */
    readonly isEstimate: boolean;
    readonly message: string | null;
  } | null;
  /** The arguments as one short line; left out in events, because they rarely change. */
  readonly args?: string;
}

export interface TaskRows {
  readonly items: readonly TaskRow[];
  readonly cursor: string | null;
  readonly complete: boolean;
  readonly order: string;
  /** The names of the headers that these tasks have, for suggestions. */
  readonly headers: readonly string[];
}

export interface TaskView
  extends Omit<TaskDetails, 'args' | 'headers' | 'result' | 'progress' | 'attempts'>, Pick<TaskRow, 'progress'> {
  readonly args: ShownValue;
  readonly headers: ShownValue;
  readonly result: ShownValue | null;
  /** The progress when it is no `{ current, total }`. */
  readonly report: ShownValue | null;
  readonly attempts: readonly TaskAttempt[];
  readonly fingerprint: string | null;
}

export interface LogLines {
  readonly lines: readonly {
    readonly index: number;
    readonly at: string | null;
    readonly level: string;
    readonly text: string;
  }[];
}

export interface GraphTask {
  readonly id: string;
  readonly kind: 'task' | 'group';
  readonly after: readonly string[];
  readonly status: TaskRow | null;
}

export interface Graph {
  readonly id: string;
  readonly tasks: readonly GraphTask[];
  readonly complete: boolean;
}

/** The errors that were found, those of a search alone. */
export type Errors = ErrorGroups;

export interface ScheduleView extends Omit<ScheduleStatus, 'args'> {
  readonly args: ShownValue;
  /** The ticks of the next day, 150 at most. */
  readonly day: readonly string[];
  /** The last runs that are stored, the latest first; left out for schedules far down in a long list. */
  readonly recent?: readonly ScheduledRun[];
}

export interface Schedules {
  readonly at: string;
  readonly items: readonly ScheduleView[];
  /** False when there are more. */
  readonly complete: boolean;
}

/** What an act answers. */
export interface ActAnswer {
  /** The id of the task that performs an act on many tasks, of the task that a schedule started, or of the stored call. */
  readonly id?: string;
  /** Whether the call was not stored, because an equal one is: `id` is that one's. */
  readonly deduplicated?: boolean;
  readonly status?: TaskRow;
  /** Whether the record of a task was removed. */
  readonly removed?: boolean;
}
