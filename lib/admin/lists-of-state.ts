import type { StoredList } from '../engine/ports/list-port.js';
import type { TaskState } from '../engine/task.js';

/**
 * The order of a page: `newest-first` by the time of the end; `due-first` by the time at which the task is due;
 * `queue-order` as workers take the tasks, or took them, one queue after the other; `mixed` one list after the other.
 */
export type TaskOrder = 'newest-first' | 'queue-order' | 'due-first' | 'mixed';

interface Places {
  readonly lists: readonly StoredList[];
  readonly order: TaskOrder;
}

const READY: readonly StoredList[] = ['queued', 'paused', 'prioritized'];

/**
 * The lists in which tasks of a state are. A cancelled or expired task stays where it was until a worker clears it away. The
 * lists of tasks that ended come first, because the others are read only to the end of a window.
 */
export const LISTS_OF_STATE: Readonly<Record<TaskState | 'any', Places>> = {
  scheduled: { lists: ['delayed'], order: 'due-first' },
  queued: { lists: READY, order: 'queue-order' },
  waiting: { lists: ['waiting', 'delayed', ...READY], order: 'mixed' },
  running: { lists: ['running'], order: 'queue-order' },
  // A task whose worker died is among the running ones until another worker notices it.
  retrying: { lists: ['delayed', ...READY, 'running'], order: 'mixed' },
  succeeded: { lists: ['succeeded'], order: 'newest-first' },
  failed: { lists: ['failed'], order: 'newest-first' },
  cancelled: { lists: ['failed', 'running', 'waiting', 'delayed', ...READY], order: 'mixed' },
  expired: { lists: ['failed', 'delayed', ...READY], order: 'mixed' },
  any: { lists: ['running', ...READY, 'delayed', 'waiting', 'failed', 'succeeded'], order: 'mixed' },
};

/**
 * The lists of whole workflows that failed. One that fails while its queue is paused, full or without a worker stays in its queue
 * until a worker clears it away. (A list of all failed tasks leaves these out: it would read all tasks that wait in the queues.)
 */
export const LISTS_OF_FAILED_WORKFLOWS: Places = {
  lists: ['failed', 'waiting', 'delayed', ...READY],
  order: 'mixed',
};

/** The lists of tasks that have an error, because they failed or are retried. */
export const LISTS_WITH_ERRORS: Places = { lists: ['failed', 'delayed', ...READY, 'running'], order: 'mixed' };
