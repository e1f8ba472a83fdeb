import { setTimeout as pause } from 'node:timers/promises';
import { Task } from 'nestjs-task-queue';
import { compare, type Course, type Row } from './harness/compare.js';
import type { Contenders, StartContender } from './harness/contender.js';
import { percentile } from './harness/figures.js';
import { appAt, bullmqAt } from './peers/apps.js';
import { inStorage } from './peers/in-storage.js';

export const about =
  'From the call that enqueues to the first line of the task, one at a time, in a process whose worker is idle and may run ten at once: before it runs a task, BullMQ asks for more.';

const TIMES = 100;
/** Tasks before the first round. V8 then has compiled what runs for each of them; before, a task takes twice as long. */
const WARM_UP = 5_000;
const CONCURRENCY = 10;
/** Milliseconds between the start of one task and the next enqueue. The worker is idle then. */
const IDLE_AFTER = 3;

/** Enqueues tasks one after the other, and measures the time until each starts. */
class Stopwatch {
  private started: ((at: number) => void) | undefined;

  readonly start = (): void => this.started?.(performance.now());

  constructor(private readonly enqueue: () => Promise<unknown>) {}

  async warmUp(): Promise<void> {
    for (let n = 0; n < WARM_UP; n++) await this.once();
  }

  async measure(): Promise<Record<string, number>> {
    const times: number[] = [];
    for (let n = 0; n < TIMES; n++) {
      times.push(await this.once());
      await pause(IDLE_AFTER);
    }
    return { 'ms p50': percentile(times, 50), 'ms p99': percentile(times, 99) };
  }

  private async once(): Promise<number> {
    const startedAt = new Promise<number>((resolve) => (this.started = resolve));
    const before = performance.now();
    await this.enqueue();
    return (await startedAt) - before;
  }
}

/** BullMQ's worker with a function as its processor. */
function bareWorker(around: (body: () => Promise<void>) => Promise<void>): StartContender {
  return async (place) => {
    const { Queue, Worker, options } = bullmqAt(place);
    const queue = new Queue('default', options);
    const stopwatch = new Stopwatch(() => queue.add('Clock.start', {}));
    const work = () => around(async () => stopwatch.start());
    const worker = new Worker('default', work, { ...options, concurrency: CONCURRENCY });
    await worker.waitUntilReady();
    await stopwatch.warmUp();
    return {
      round: () => stopwatch.measure(),
      close: async () => {
        await worker.close();
        await queue.close();
      },
    };
  };
}

export const contenders: Contenders = {
  'queue.add': bareWorker((body) => body()),
  'queue.add, with an AsyncLocalStorage': bareWorker(inStorage),

  async enqueue(place) {
    class Clock {
      @Task('Clock.start')
      async start(): Promise<void> {
        stopwatch.start();
      }
    }
    const { app, queue } = await appAt(
      place,
      { queues: { default: { concurrency: CONCURRENCY } } },
      { providers: [Clock] },
    );
    const start = queue.of<Clock['start']>('Clock.start');
    const stopwatch = new Stopwatch(() => start.enqueue());
    await stopwatch.warmUp();
    return { round: () => stopwatch.measure(), close: () => app.close() };
  },
};

export async function run(course: Course): Promise<Row[]> {
  const match = {
    short: { processes: 4, rounds: 2 },
    peer: { name: 'queue.add' },
    rivals: [
      { name: 'enqueue', target: { atMost: 1.05, unit: 'ms p50' } },
      { name: 'queue.add, with an AsyncLocalStorage' },
    ],
  };
  return [
    ...(await compare(course, { what: 'Redis', store: 'redis', ...match })),
    ...(await compare(course, { what: 'PostgreSQL', store: 'postgres', ...match })),
  ];
}
