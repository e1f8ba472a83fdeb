import { pbkdf2Sync } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { getQueueToken } from '@nestjs/bullmq';
import type { Queue } from 'bullmq';
import { Task } from 'nestjs-task-queue';
import type { Course, Row } from './harness/compare.js';
import type { Contenders } from './harness/contender.js';
import { median, readable } from './harness/figures.js';
import { helper } from './harness/helper.js';
import { freePlace, Rival } from './harness/rival.js';
import { CONCURRENCY } from './harness/workload.js';
import { appAt } from './peers/apps.js';

export const about =
  `Work of 5 ms, in 1, 2 and 4 worker processes with concurrency ${CONCURRENCY}: computing, which a process does one after the other, or waiting, as for a database. ` +
  `The machine has ${availableParallelism()} cores, which Redis needs too.`;

const WORK = 5;
const amount = { computing: 1_500, waiting: 12_000 };
type Kind = keyof typeof amount;

/** The number of hash rounds that take 5 ms on this machine. */
function calibrate(): number {
  const sample = 20_000;
  const hash = () => pbkdf2Sync('secret', 'salt', sample, 32, 'sha256');
  hash();
  const start = performance.now();
  hash();
  return Math.round((sample * WORK) / (performance.now() - start));
}

export const contenders: Contenders = {
  async worker(place) {
    const rounds = calibrate();
    class Work {
      @Task('Work.computing')
      computing(): void {
        pbkdf2Sync('secret', 'salt', rounds, 32, 'sha256');
      }

      @Task('Work.waiting')
      async waiting(): Promise<void> {
        await pause(WORK);
      }
    }
    const { app } = await appAt(
      place,
      { role: 'worker', queues: { default: { concurrency: CONCURRENCY } } },
      { providers: [Work] },
    );
    return helper(() => app.close());
  },

  async producer(place) {
    const { app, queue } = await appAt(place, { role: 'producer' });
    const native = app.get<Queue>(getQueueToken('default'));
    const work = async (kind: Kind) => {
      await native.pause();
      const calls = Array.from({ length: amount[kind] }, (): [] => []);
      const handles = await queue.of(`Work.${kind}`).enqueueMany(calls);
      await native.resume();
      const last = handles.slice(-CONCURRENCY * 4);
      const start = performance.now();
      await Promise.all(last.map((handle) => handle.result({ timeout: '5m' })));
      return { 'tasks/s': (amount[kind] / (performance.now() - start)) * 1_000 };
    };
    return helper(() => app.close(), {
      steps: { computing: () => work('computing'), waiting: () => work('waiting') },
    });
  },
};

async function rate({ file, server }: Course, kind: Kind, processes: number): Promise<number> {
  const place = freePlace('redis', await server('redis'));
  const workers = await Promise.all(Array.from({ length: processes }, () => Rival.start(file, 'worker', place)));
  const producer = await Rival.start(file, 'producer', place);
  const figures = await producer.step(kind);
  for (const rival of [producer, ...workers]) await rival.close();
  return figures['tasks/s'];
}

export async function run(course: Course): Promise<Row[]> {
  const rows: Row[] = [];
  for (const kind of ['computing', 'waiting'] as const) {
    const measured: Record<number, number[]> = { 1: [], 2: [], 4: [] };
    for (let round = 0; round < course.rounds; round++) {
      for (const processes of [1, 2, 4]) measured[processes].push(await rate(course, kind, processes));
    }
    for (const processes of [2, 4]) {
      const ratios = measured[processes].map((value, round) => value / measured[1][round]);
      rows.push({
        what: `${kind}: ${processes} processes`,
        ours: `${readable(median(measured[processes]))} tasks/s`,
        peer: `one: ${readable(median(measured[1]))} tasks/s`,
        ratio: `${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`,
        must: '',
        met: undefined,
      });
    }
  }
  return rows;
}
