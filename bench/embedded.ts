import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Task } from 'nestjs-task-queue';
import { describe, meets, type Course, type Row, type Target } from './harness/compare.js';
import type { Contenders, Figures } from './harness/contender.js';
import { median, perSecond } from './harness/figures.js';
import { appAt } from './peers/apps.js';
import { freePlace, Rival } from './harness/rival.js';

export const about =
  'An application on the embedded engine: its start in an empty folder and in one that was used, 1,000 tasks that do nothing, enqueued and run, and the memory of its process after them.';

const TASKS = 1_000;
const MEGABYTE = 2 ** 20;

class Nothing {
  @Task('Nothing.do')
  async do(): Promise<void> {}
}

export const contenders: Contenders = {
  async app(place) {
    const begun = performance.now();
    const { app, queue } = await appAt(place, {}, { providers: [Nothing] });
    const started = performance.now() - begun;
    const task = queue.of<Nothing['do']>('Nothing.do');
    return {
      info: started,
      async round() {
        const start = performance.now();
        const handles = await task.enqueueMany(Array.from({ length: TASKS }, () => []));
        await Promise.all(handles.map((handle) => handle.result({ timeout: '1m' })));
        return { rate: perSecond(TASKS, start), memory: process.memoryUsage().rss / MEGABYTE };
      },
      close: () => app.close(),
    };
  },
};

/** Measures the first and the second start in a new folder, then one round of tasks. */
async function measure(file: string): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-embedded-'));
  try {
    const place = freePlace('embedded', `pglite:${join(folder, 'tasks')}`);
    const first = await Rival.start(file, 'app', place);
    await first.close();
    const second = await Rival.start(file, 'app', place);
    const { rate = 0, memory = 0 } = await second.round();
    await second.close();
    return { first: first.info as number, later: second.info as number, rate, memory };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function run({ file, rounds }: Course): Promise<Row[]> {
  const measured: Figures[] = [];
  for (let round = 0; round < rounds; round++) measured.push(await measure(file));
  const row = (what: string, figure: string, unit: string, target: Target): Row => {
    const values = measured.map((figures) => figures[figure] ?? NaN);
    const middle = median(values);
    const shown = (value: number) => value.toFixed(0);
    return {
      what,
      ours: `${shown(middle)} ${unit}`,
      peer: '',
      ratio: `${shown(Math.min(...values))} to ${shown(Math.max(...values))}`,
      must: describe(target),
      met: meets(middle, target),
    };
  };
  return [
    row('first start', 'first', 'ms', { atMost: 1_500 }),
    row('later start', 'later', 'ms', { atMost: 800 }),
    row('enqueued, run and waited for', 'rate', 'tasks/s', { atLeast: 1_000 }),
    row('resident memory', 'memory', 'MB', { atMost: 250 }),
  ];
}
