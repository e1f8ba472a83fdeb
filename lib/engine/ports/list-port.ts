import type { Json } from '../json.js';
import type { CallOptions, TaskRecord } from '../task.js';

/**
 * The lists in which an engine keeps tasks, by what happens to them next:
 *
 * - `queued`: a worker takes them, the first ones first. `prioritized`: the same by priority. `paused`: they waited when an
 *   earlier version of BullMQ paused the queue.
 * - `delayed`: their time has not come, or the time of their next attempt.
 * - `running`: a worker has taken them. `waiting`: they wait for members.
 * - `succeeded`: they ended well. `failed`: they ended otherwise.
 *
 * The list of a task does not tell its state: a cancelled task, for example, stays in its list until a worker clears it away.
 */
export type StoredList =
  | 'queued'
  | 'paused'
  | 'prioritized'
  | 'delayed'
  | 'running'
  | 'waiting'
  | 'succeeded'
  | 'failed';

/**
 * Lists that have one order for all queues: by the time at which the task is due, the first ones first, and by the time at
 * which the task ended, the last ones first. The other lists have an order in each queue, and follow each other by the names
 * of their queues.
 */
const ORDERED_BY_TIME: ReadonlySet<StoredList> = new Set<StoredList>(['delayed', 'succeeded', 'failed']);

export function isOrderedByTime(list: StoredList): boolean {
  return ORDERED_BY_TIME.has(list);
}

/** Where a page ended. Only the engine that gave it knows what the texts mean. */
export type ListPosition = readonly string[];

/** Which part of a list to read. */
export interface ListRequest {
  readonly list: StoredList;
  /** In the order of their names. */
  readonly queues: readonly string[];
  /** Begins behind this position; `undefined`: with the first task. */
  readonly after: ListPosition | undefined;
  /** The most entries of the answer. */
  readonly count: number;
}

export interface ListEntry {
  /** `undefined`: the task is no longer stored, or its time to live is over. */
  readonly record: TaskRecord | undefined;
  /** The id of the task that waits for this one. */
  readonly parent: string | undefined;
  /** The arguments of the call; empty when they cannot be read. Parsed only when the caller asks for them. */
  readonly args: () => readonly Json[];
  /** The position behind this entry. In a list that has an order in each queue, its first text is the name of the queue. */
  readonly position: ListPosition;
  /** In a list that is ordered by time, the time by which it is: lists of several servers are merged by it. 0 in other lists. */
  readonly time: number;
}

/** The number of tasks in each list of a queue. `queued` has the tasks of all priorities. */
export type ListSizes = Readonly<Record<Exclude<StoredList, 'paused' | 'prioritized'>, number>>;

/** What is known of a queue without reading its tasks. */
export interface QueueFigures {
  readonly isPaused: boolean;
  readonly sizes: ListSizes;
  /** The time since when the first task of the queue could start; `null` when no task is queued. */
  readonly queuedSince: number | null;
}

/** A task with what its call stored. */
export interface StoredCall {
  readonly record: TaskRecord;
  /** Empty when they cannot be read. */
  readonly args: readonly Json[];
  /** The options that were stored with the call. */
  readonly options: CallOptions;
  /** The id of the task that waits for this one. */
  readonly parent: string | undefined;
}

/**
 * Reading many stored tasks. Each method does a bounded amount of work, however many tasks a queue holds, and throws
 * EngineUnavailableError when the engine does not answer in time.
 */
export interface ListPort {
  /** The names of all queues that have ever been used, those of the package itself included, in order. */
  queueNames(): Promise<string[]>;
  /**
   * The entries behind a position, in one round trip. Less than `count` entries: the list ends there.
   *
   * A position in a list that is ordered by time stays right whatever happens to the tasks meanwhile. So it does in every
   * other list of PostgreSQL and memory. The lists of waiting and running tasks on Redis have no keys: a position follows its
   * task when tasks in front of it leave, and a list begins again when all tasks near the position have left.
   *
   * @throws InvalidArgumentsError when the position is not one of this list
   */
  list(request: ListRequest): Promise<ListEntry[]>;
  /**
   * The figures of these queues, in order, in one round trip. The sizes are exact. `undefined` for a queue whose shard cannot be
   * reached, as long as the shard of another of these queues can. PostgreSQL has no counters and reads an entry of an index for each
   * task. So the figures of queues that hold hundreds of thousands of tasks there are up to 10 s old.
   */
  figures(queues: readonly string[]): Promise<(QueueFigures | undefined)[]>;
  /**
   * How many tasks of a queue wait: those that a worker may take, and those whose time has not come.
   *
   * @param most counting ends there
   */
  countQueued(queue: string, most: number): Promise<number>;
  /** The task of this id with its call; `undefined` when there is none or its time to live is over. */
  details(id: string): Promise<StoredCall | undefined>;
}
