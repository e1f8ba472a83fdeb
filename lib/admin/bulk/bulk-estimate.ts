import type { ListSizes } from '../../engine/ports/list-port.js';
import type { TaskState } from '../../engine/task.js';
import type { TaskFilter } from '../task-filter.js';

/** The list in which most tasks of a state are. Tasks of the other states are found among those of another state. */
const HOME: Partial<Record<TaskState, keyof ListSizes>> = {
  waiting: 'waiting',
  scheduled: 'delayed',
  queued: 'queued',
  running: 'running',
  succeeded: 'succeeded',
  failed: 'failed',
  cancelled: 'failed',
};

/** The conditions that say which lists are read. Any other condition leaves out some of the tasks in them. */
const OF_LISTS: ReadonlySet<string> = new Set(['queue', 'state']);

/**
 * Estimates on how many tasks an act is performed: by the lengths of the lists when it began and, where the filter has further conditions,
 * by the share of the tasks read so far that matched. An exact number would need all tasks to be read twice.
 */
export class BulkEstimate {
  /** The tasks of the list of each filter that are not read yet. */
  private readonly unread: number[];
  private readonly isSelective: boolean;
  private read = 0;
  private matched = 0;

  /** @param sizes the lists of all queues that the act is about */
  constructor(filters: readonly TaskFilter[], sizes: readonly ListSizes[]) {
    const counted = new Set<string>();
    this.unread = filters.map(({ state }) => {
      const list = state && HOME[state];
      if (!list || counted.has(list)) return 0;
      counted.add(list);
      return sizes.reduce((sum, ofQueue) => sum + ofQueue[list], 0);
    });
    this.isSelective = filters.some((filter) => Object.keys(filter).some((condition) => !OF_LISTS.has(condition)));
  }

  /** A page was read for a filter. */
  add(filter: number, read: number, matched: number): void {
    this.read += read;
    this.matched += matched;
    this.unread[filter] = Math.max((this.unread[filter] ?? 0) - read, 0);
  }

  /** No further task of a filter follows. */
  end(filter: number): void {
    this.unread[filter] = 0;
  }

  /** How many tasks will probably follow. */
  get left(): number {
    const unread = this.unread.reduce((sum, tasks) => sum + tasks, 0);
    return this.isSelective && this.read > 0 ? Math.round((unread * this.matched) / this.read) : unread;
  }
}
