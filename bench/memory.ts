import { NestFactory } from '@nestjs/core';
import { Task } from 'nestjs-task-queue';
import type { Course, Row, Target } from './harness/compare.js';
import { describe, meets } from './harness/compare.js';
import type { Contenders, Figures } from './harness/contender.js';
import { median, perSecond } from './harness/figures.js';
import { Rival } from './harness/rival.js';
import { appAt, moduleAt } from './peers/apps.js';

export const about =
  'An application on the memory engine: what it adds to the start of the second application of a process (each test file starts one for each of its suites), 20,000 tasks that do nothing, enqueued, run and waited for, and the memory that a finished task takes.';

const TASKS = 20_000;

class Nothing {
  @Task('Nothing.do')
  async do(): Promise<void> {}
}

/** Milliseconds until an application has started. */
async function startOf(start: () => Promise<{ close(): Promise<void> }>): Promise<number> {
  const begun = performance.now();
  const app = await start();
  const took = performance.now() - begun;
  await app.close();
  return took;
}

export const contenders: Contenders = {
  async app(place) {
    class Empty {}
    const quiet = { logger: ['error' as const, 'warn' as const] };
    const alone = () => NestFactory.createApplicationContext({ module: Empty }, quiet);
    const withModule = () => NestFactory.createApplicationContext(moduleAt(place, {}), quiet);
    for (const start of [alone, withModule]) await startOf(start);
    const { app, queue } = await appAt(place, {}, { providers: [Nothing] });
    const task = queue.of<Nothing['do']>('Nothing.do');
    return {
      async round() {
        const ready = (await startOf(withModule)) - (await startOf(alone));
        globalThis.gc?.();
        const before = process.memoryUsage().heapUsed;
        const begun = performance.now();
        await Promise.all((await task.enqueueMany(Array.from({ length: TASKS }, () => []))).map((one) => one.result()));
        const rate = perSecond(TASKS, begun);
        globalThis.gc?.();
        return { ready, rate, bytes: (process.memoryUsage().heapUsed - before) / TASKS };
      },
      close: () => app.close(),
    };
  },
};

export async function run({ file, rounds }: Course): Promise<Row[]> {
  const rival = await Rival.start(file, 'app', { store: 'memory', connection: 'memory:', prefix: 'bench' });
  // The first round does not count: it compiles the code.
  await rival.round();
  const measured: Figures[] = [];
  for (let round = 0; round < rounds; round++) measured.push(await rival.round());
  await rival.close();
  const row = (what: string, figure: string, unit: string, target: Target): Row => {
    const values = measured.map((figures) => figures[figure] ?? NaN);
    const shown = (value: number) => Math.round(value).toLocaleString('en');
    return {
      what,
      ours: `${shown(median(values))} ${unit}`,
      peer: '',
      ratio: `${shown(Math.min(...values))} to ${shown(Math.max(...values))}`,
      must: describe(target),
      met: meets(median(values), target),
    };
  };
  return [
    row('added to the start of an application', 'ready', 'ms', { atMost: 5 }),
    row('enqueued, run and waited for', 'rate', 'tasks/s', { atLeast: 20_000 }),
    row('memory of a finished task', 'bytes', 'bytes', { atMost: 1_000 }),
  ];
}
