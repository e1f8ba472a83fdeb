import type { Job } from 'bullmq';
import { Task } from 'nestjs-task-queue';
import { compare, type Course, type Row } from './harness/compare.js';
import type { Contenders, StartContender } from './harness/contender.js';
import { percentile } from './harness/figures.js';
import { helper } from './harness/helper.js';
import { appAt, bullmqAt } from './peers/apps.js';
import { inStorage } from './peers/in-storage.js';

export const about =
  'One caller who enqueues a task that does nothing, waits for its result, and enqueues the next; the worker is another process, and may run ten at once.';

const TIMES = 100;
/** Tasks before the first round. V8 then has compiled what runs for each of them; before, a task takes twice as long. */
const WARM_UP = 5_000;
const CONCURRENCY = 10;

/** @returns what measures a round, once the process is warm */
async function stopwatch(
  enqueueAndWait: (n: number) => Promise<unknown>,
): Promise<() => Promise<Record<string, number>>> {
  for (let n = 0; n < WARM_UP; n++) await enqueueAndWait(n);
  return async () => {
    const times: number[] = [];
    for (let n = 0; n < TIMES; n++) {
      const start = performance.now();
      await enqueueAndWait(n);
      times.push(performance.now() - start);
    }
    return { 'ms p50': percentile(times, 50), 'ms p99': percentile(times, 99) };
  };
}

class Sums {
  @Task('Sums.add')
  async add(a: number, b: number): Promise<number> {
    return a + b;
  }
}

/** BullMQ's worker with a function as its processor. */
function bareWorker(around: (body: () => Promise<number>) => Promise<number>): StartContender {
  return async (place) => {
    const { Worker, options } = bullmqAt(place);
    const work = ({ data }: Job) => around(async () => data.a + data.b);
    const worker = new Worker('default', work, { ...options, concurrency: CONCURRENCY });
    await worker.waitUntilReady();
    return helper(() => worker.close());
  };
}

const waitUntilFinished: StartContender = async (place) => {
  const { Queue, QueueEvents, options } = bullmqAt(place);
  const queue = new Queue('default', options);
  const events = new QueueEvents('default', options);
  await events.waitUntilReady();
  return {
    round: await stopwatch(async (n) => (await queue.add('Sums.add', { a: n, b: 1 })).waitUntilFinished(events)),
    close: async () => {
      await events.close();
      await queue.close();
    },
  };
};

export const contenders: Contenders = {
  'BullMQ Worker': bareWorker((body) => body()),
  'BullMQ Worker in an AsyncLocalStorage': bareWorker(inStorage),
  waitUntilFinished,
  'waitUntilFinished, with an AsyncLocalStorage': waitUntilFinished,

  async '@Task'(place) {
    const { app } = await appAt(
      place,
      { role: 'worker', queues: { default: { concurrency: CONCURRENCY } } },
      { providers: [Sums] },
    );
    return helper(() => app.close());
  },

  async 'handle.result'(place) {
    const { app, queue } = await appAt(place, { role: 'producer' });
    const add = queue.of<Sums['add']>('Sums.add');
    return { round: await stopwatch(async (n) => (await add.enqueue(n, 1)).result()), close: () => app.close() };
  },
};

export async function run(course: Course): Promise<Row[]> {
  const match = {
    short: { processes: 4, rounds: 2 },
    peer: { name: 'waitUntilFinished' },
    rivals: [
      { name: 'handle.result', target: { atMost: 1, unit: 'ms p50' } },
      { name: 'waitUntilFinished, with an AsyncLocalStorage' },
    ],
    beside: {
      waitUntilFinished: 'BullMQ Worker',
      'handle.result': '@Task',
      'waitUntilFinished, with an AsyncLocalStorage': 'BullMQ Worker in an AsyncLocalStorage',
    },
  };
  return [
    ...(await compare(course, { what: 'Redis', store: 'redis', ...match })),
    ...(await compare(course, { what: 'PostgreSQL', store: 'postgres', ...match })),
  ];
}
