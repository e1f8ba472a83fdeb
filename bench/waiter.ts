import { setTimeout as pause } from 'node:timers/promises';
import { Task } from 'nestjs-task-queue';
import type { Course, Row } from './harness/compare.js';
import type { Contenders } from './harness/contender.js';
import { median } from './harness/figures.js';
import { helper } from './harness/helper.js';
import { freePlace, Rival } from './harness/rival.js';
import { appAt } from './peers/apps.js';

const RATE = 3_000;
const SECONDS = 8;
/** Percent of a core that one waiter may use. */
const AT_MOST = 5;

export const about =
  `A web process that waits for one task, while another process runs ${RATE.toLocaleString('en')} tasks a second of the same queue, ` +
  'against the same process without a waiting caller: its processor time, in percent of a core.';

class Fleet {
  @Task('Fleet.work')
  async work(): Promise<void> {}
}

export const contenders: Contenders = {
  async web(place, waiters) {
    const { app, queue } = await appAt(place, { role: 'producer' });
    const end = new AbortController();
    for (let waiter = 0; waiter < waiters; waiter++) {
      const handle = await queue.of('Fleet.work').with({ delay: '1h' }).enqueue();
      // The task has not started when the contender closes. Closing ends the wait.
      void handle.result({ signal: end.signal }).catch(() => undefined);
    }
    return helper(() => {
      end.abort();
      return app.close();
    });
  },

  async fleet(place) {
    const { app, queue } = await appAt(place, { queues: { default: { concurrency: 50 } } }, { providers: [Fleet] });
    const work = queue.of('Fleet.work');
    return {
      async round() {
        const start = performance.now();
        let count = 0;
        while (performance.now() - start < SECONDS * 1_000) {
          const due = Math.floor(((performance.now() - start) / 1_000) * RATE) - count;
          if (due > 0) await work.enqueueMany(Array.from({ length: due }, () => []));
          count += Math.max(due, 0);
          await pause(10);
        }
        return { rate: (count / (performance.now() - start)) * 1_000 };
      },
      close: () => app.close(),
    };
  },
};

export async function run({ file, rounds, server }: Course): Promise<Row[]> {
  const place = freePlace('redis', await server('redis'));
  const fleet = await Rival.start(file, 'fleet', place);
  const rates: number[] = [];
  async function share(waiters: number): Promise<number> {
    const web = await Rival.start(file, 'web', place, waiters);
    await pause(500);
    const start = performance.now();
    const before = await web.cpu();
    const { rate } = await fleet.round();
    rates.push(rate);
    const used = (((await web.cpu()) - before) / (performance.now() - start)) * 100;
    await web.close();
    return used;
  }
  const without: number[] = [];
  const waiting: number[] = [];
  for (let round = 0; round < rounds; round++) {
    without.push(await share(0));
    waiting.push(await share(1));
  }
  await fleet.close();
  const more = waiting.map((value, round) => value - without[round]);
  return [
    {
      what: `one waiter beside ${Math.round(median(rates)).toLocaleString('en')} tasks/s`,
      ours: `${median(waiting).toFixed(2)} % of a core`,
      peer: `without: ${median(without).toFixed(2)} % of a core`,
      ratio: `${median(more).toFixed(2)} more (${Math.min(...more).toFixed(2)} to ${Math.max(...more).toFixed(2)})`,
      must: `at most ${AT_MOST} more`,
      met: median(more) <= AT_MOST,
    },
  ];
}
