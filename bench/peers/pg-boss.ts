import PgBoss from 'pg-boss';
import type { Place, StartContender } from '../harness/contender.js';
import { CONCURRENCY, Counter, enqueueByMany, PAYLOAD } from '../harness/workload.js';

const QUEUE = 'mails';
/** Jobs that a worker takes at once. A worker polls at most twice a second, so this limits its rate. */
const BATCH = 100;
const SHORTEST_POLLING = 0.5;

async function bossAt({ connection, prefix }: Place): Promise<PgBoss> {
  const boss = new PgBoss({ connectionString: connection, schema: prefix, max: 10 });
  boss.on('error', (error) => console.error(error));
  await boss.start();
  await boss.createQueue(QUEUE);
  return boss;
}

/** Many callers call `boss.send(…)`. */
export function enqueueWithBoss(total: number): StartContender {
  return async (place) => {
    const boss = await bossAt(place);
    return {
      async round() {
        const rate = await enqueueByMany(total, () => boss.send(QUEUE, PAYLOAD));
        await boss.purgeQueue(QUEUE);
        return { 'tasks/s': rate };
      },
      close: () => boss.stop({ graceful: false, wait: true }),
    };
  };
}

/** Starts as many workers as tasks may run at the same time. Each worker takes a batch at a time. */
export function runWithBoss(total: number): StartContender {
  return async (place) => {
    const boss = await bossAt(place);
    const counter = new Counter();
    return {
      async round() {
        await boss.insert(Array.from({ length: total }, () => ({ name: QUEUE, data: PAYLOAD })));
        const rate = counter.expect(total);
        const options = { batchSize: BATCH, pollingIntervalSeconds: SHORTEST_POLLING };
        for (let worker = 0; worker < CONCURRENCY; worker++) {
          await boss.work(QUEUE, options, async (jobs) => jobs.forEach(counter.next));
        }
        const figures = { 'tasks/s': await rate };
        await boss.offWork(QUEUE);
        return figures;
      },
      close: () => boss.stop({ graceful: false, wait: true }),
    };
  };
}
