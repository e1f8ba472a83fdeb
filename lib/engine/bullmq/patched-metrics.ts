import type { Queue } from 'bullmq';
import type { CountedEvent } from '../statistics/figures.js';
import type { Statistics } from '../statistics/statistics.js';

const MINUTE = 60_000;
/** Minutes for which there are points: as long as figures are kept minute by minute. */
const POINTS = 120;

/** What BullMQ counts as completed and as failed. */
const EVENTS: Readonly<Record<'completed' | 'failed', readonly CountedEvent[]>> = {
  completed: ['succeeded'],
  failed: ['failed', 'cancelled', 'expired'],
};

/**
 * Makes `queue.getMetrics()`, and with it the Prometheus export of a queue, give what this package has counted. By itself, BullMQ
 * counts only in workers with the option `metrics`, with further commands for each job: on PostgreSQL a statement that changes the
 * same row each time.
 */
export function patchMetrics(queue: Queue, statistics: Pick<Statistics, 'read' | 'totals'>, now: () => number): Queue {
  queue.getBackend().getMetrics = async (type, start = 0, end = -1) => {
    const minute = Math.floor(now() / MINUTE) * MINUTE;
    const sumOf = (counts: Readonly<Record<CountedEvent, number>>) =>
      EVENTS[type].reduce((sum, event) => sum + counts[event], 0);
    const points = Array.from({ length: POINTS }, () => 0);
    const slices = await statistics.read(minute - (POINTS - 1) * MINUTE, minute + MINUTE);
    for (const { at, bucket } of slices) {
      const place = Math.round((minute - at) / MINUTE);
      for (const [name, , { counts }] of bucket.entries())
        if (name === queue.name && points[place] !== undefined) points[place] += sumOf(counts);
    }
    const total = sumOf(await statistics.totals(queue.name));
    // The newest point is the first, and a negative index counts from the end, as in Redis.
    const data = points.slice(start, end === -1 ? undefined : end + 1);
    return [[`${total}`, `${minute}`, '0'], data.map(String), points.length];
  };
  return queue;
}
