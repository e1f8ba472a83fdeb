import PgBoss from 'pg-boss';
import type { Place, StartContender } from '../harness/contender.js';
import { perSecond } from '../harness/figures.js';
import { CONCURRENCY, enqueueByMany, PAYLOAD } from '../harness/workload.js';

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

/**
 * Starts twenty workers, of which each takes a batch at a time. All jobs have places then, so the measured time ends when the last end
 * is stored. By itself, pg-boss stores no output of the jobs of a batch, and does not wait for the ends: the handler ends all jobs of
 * its batch with an output, by one call.
 */
export function runWithBoss(total: number): StartContender {
  return async (place) => {
    const boss = await bossAt(place);
    return {
      async round() {
        await boss.insert(Array.from({ length: total }, () => ({ name: QUEUE, data: PAYLOAD })));
        const options = { batchSize: BATCH, pollingIntervalSeconds: SHORTEST_POLLING };
        let start: number | undefined;
        let stored = 0;
        let finish: (rate: number) => void;
        const rate = new Promise<number>((resolve) => (finish = resolve));
        const work = async (jobs: readonly { id: string }[]) => {
          start ??= performance.now();
          // The declared types have no output for several jobs; the method takes it.
          const ids = jobs.map(({ id }) => id) as unknown as string;
          await boss.complete(QUEUE, ids, { sent: true });
          stored += jobs.length;
          if (stored === total) finish(perSecond(total, start));
        };
        for (let worker = 0; worker < CONCURRENCY; worker++) await boss.work(QUEUE, options, work);
        const figures = { 'tasks/s': await rate };
        await boss.offWork(QUEUE);
        return figures;
      },
      close: () => boss.stop({ graceful: false, wait: true }),
    };
  };
}
