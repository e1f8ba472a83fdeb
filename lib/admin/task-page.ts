import { toStatus, type TaskStatus } from '../results/task-status.js';
import type { TaskOrder } from './lists-of-state.js';
import type { RecordPage } from './task-lists.js';

/** A page of `TaskAdmin.tasks()`. */
export interface TaskPage {
  /** The tasks. The progress of a workflow is counted only by `handle.status()` and `TaskAdmin.task()`. */
  readonly items: readonly TaskStatus[];
  /** Gives the next page, with the same filter; `null` on the last page. */
  readonly cursor: string | null;
  /**
   * False when the page ended before its `limit`, because it had read as many stored tasks as a page may read. The next page goes
   * on, so a page without items is not always the last one.
   */
  readonly complete: boolean;
  readonly order: TaskOrder;
  /**
   * The names of the shards that could not be reached, so that the page lacks their tasks. Absent when none is missing, and for a
   * filter with a `queue`.
   */
  readonly missingShards?: readonly string[];
}

export function toPage({ items, cursor, complete, order, missingShards }: RecordPage): TaskPage {
  return {
    items: items.map(({ record }) => toStatus(record)),
    cursor,
    complete,
    order,
    ...(missingShards && { missingShards }),
  };
}
