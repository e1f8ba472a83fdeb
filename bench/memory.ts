import type { DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Task } from 'nestjs-task-queue';
import type { Course, Row, Target } from './harness/compare.js';
import { describe, meets } from './harness/compare.js';
import type { Contenders, Figures } from './harness/contender.js';
import { median } from './harness/figures.js';
import { processorTime } from './harness/processor-time.js';
import { Rival } from './harness/rival.js';
import { appAt, moduleAt } from './peers/apps.js';

export const about =
  'The memory engine: from nothing to the first stored task, what the module adds to the start and the end of a further application of the process, 20,000 tasks that do nothing, enqueued, run and waited for, and the memory that a finished task takes. The start of an application and the rate are in processor time, because nothing there waits.';

const TASKS = 20_000;

class Nothing {
  @Task('Nothing.do')
  async do(): Promise<void> {}
}

/** Milliseconds of processor time that a call takes. */
async function costOf(call: () => Promise<unknown>): Promise<number> {
  const before = processorTime();
  await call();
  return processorTime() - before;
}

/** Milliseconds until a new engine has stored its first task. */
async function timeToFirstTask(): Promise<number> {
  const file = new URL('../dist/esm/engine/memory/memory-engine.js', import.meta.url).href;
  const { MemoryEngine } = (await import(file)) as { MemoryEngine: new (options: object) => BareEngine };
  const begun = performance.now();
  const engine = new MemoryEngine({ retention: { ttl: 1_000, failedTtl: 1_000 } });
  await engine.start();
  await engine.enqueue([{ id: '1', name: 'Nothing.do', queue: 'default', args: [], headers: {}, options: {} }]);
  return performance.now() - begun;
}

interface BareEngine {
  start(): Promise<void>;
  enqueue(calls: object[]): Promise<unknown>;
}

export const contenders: Contenders = {
  async app(place) {
    const ready = await timeToFirstTask();
    class Empty {}
    const quiet = { logger: ['error' as const, 'warn' as const] };
    const start = async (module: DynamicModule) => (await NestFactory.createApplicationContext(module, quiet)).close();
    const alone = () => start({ module: Empty });
    const withModule = () => start(moduleAt(place, {}));
    const { app, queue } = await appAt(place, {}, { providers: [Nothing] });
    const task = queue.of<Nothing['do']>('Nothing.do');
    const runAll = async () => {
      const handles = await task.enqueueMany(Array.from({ length: TASKS }, () => []));
      await Promise.all(handles.map((handle) => handle.result()));
    };
    return {
      async round() {
        const added = (await costOf(withModule)) - (await costOf(alone));
        globalThis.gc?.();
        const before = process.memoryUsage().heapUsed;
        const rate = (TASKS / (await costOf(runAll))) * 1_000;
        globalThis.gc?.();
        return { ready, added, rate, bytes: (process.memoryUsage().heapUsed - before) / TASKS };
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
  const row = (what: string, figure: string, unit: string, target?: Target): Row => {
    const values = measured.map((figures) => figures[figure] ?? NaN);
    const shown = (value: number) => Math.round(value).toLocaleString('en');
    return {
      what,
      ours: `${shown(median(values))} ${unit}`,
      peer: '',
      ratio: `${shown(Math.min(...values))} to ${shown(Math.max(...values))}`,
      must: target ? describe(target) : '',
      met: target && meets(median(values), target),
    };
  };
  return [
    row('until the first task is stored', 'ready', 'ms', { atMost: 5 }),
    row('added to the start and the end of an application', 'added', 'ms'),
    row('enqueued, run and waited for', 'rate', 'tasks/s', { atLeast: 20_000 }),
    row('memory of a finished task', 'bytes', 'bytes', { atMost: 1_000 }),
  ];
}
