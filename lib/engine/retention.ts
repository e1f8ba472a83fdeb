import type { TaskState } from './task.js';

/** How long the records of final tasks are kept, in milliseconds. */
export interface Retention {
  readonly ttl: number;
  readonly failedTtl: number;
}

/** How long the record of a task that ended in this state is kept, in milliseconds. */
export function timeToLive(state: TaskState, resultTtl: number | undefined, retention: Retention): number {
  return state === 'succeeded' ? (resultTtl ?? retention.ttl) : Math.max(retention.failedTtl, resultTtl ?? 0);
}
