import BeeQueue from 'bee-queue';
import type { Place, StartContender } from '../harness/contender.js';
import { CONCURRENCY, Counter, enqueueByMany, PAYLOAD } from '../harness/workload.js';

function queueAt({ connection, prefix }: Place, isWorker: boolean): BeeQueue {
  return new BeeQueue(prefix, {
    redis: { url: connection },
    isWorker,
    // The comparison uses neither events nor stored jobs.
    getEvents: false,
    sendEvents: false,
    removeOnSuccess: true,
  });
}

/** Many callers call `queue.createJob(…).save()`. */
export function enqueueWithBee(total: number): StartContender {
  return async (place) => {
    const queue = queueAt(place, false);
    await queue.ready();
    return {
      async round() {
        const rate = await enqueueByMany(total, () => queue.createJob(PAYLOAD).save());
        await queue.destroy();
        return { 'tasks/s': rate };
      },
      close: () => queue.close(),
    };
  };
}

/** Runs jobs that are stored already. Each round needs a new queue, because a queue cannot be paused. */
export function runWithBee(total: number): StartContender {
  return async (place) => {
    const counter = new Counter();
    let rounds = 0;
    return {
      async round() {
        const queue = queueAt({ ...place, prefix: `${place.prefix}-${rounds++}` }, true);
        await queue.ready();
        await queue.saveAll(Array.from({ length: total }, () => queue.createJob(PAYLOAD)));
        const rate = counter.expect(total);
        queue.process(CONCURRENCY, async () => counter.next());
        const figures = { 'tasks/s': await rate };
        await queue.close();
        return figures;
      },
      close: async () => undefined,
    };
  };
}
