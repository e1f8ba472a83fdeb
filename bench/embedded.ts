import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, meets, type Course, type Row, type Target } from './harness/compare.js';
import type { Figures } from './harness/contender.js';
import { median } from './harness/figures.js';

export const about =
  'An application on the embedded engine, as it is built: its start in an empty folder and in one that was used, 1,000 tasks that do nothing, enqueued and run, and the memory of its process after them.';

const TASKS = 1_000;

const app = fileURLToPath(new URL('peers/embedded-app.js', import.meta.url));

/** Starts the application once, and runs tasks if there is a number of them. */
async function start(folder: string, ...tasks: string[]): Promise<Figures> {
  const child = fork(app, [folder, ...tasks], { execArgv: [], env: { ...process.env, NODE_ENV: 'production' } });
  const exited = once(child, 'exit');
  const [answer] = (await Promise.race([once(child, 'message'), exited])) as [unknown];
  if (child.connected) child.disconnect();
  const [code] = (await exited) as [number | null];
  if (code !== 0) throw new Error(`The application ended with ${code}.`);
  return answer as Figures;
}

/** Measures the first and the second start in a new folder, then one round of tasks. */
async function measure(tasks: number): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-embedded-'));
  try {
    const first = await start(join(folder, 'tasks'));
    const second = await start(join(folder, 'tasks'), `${tasks}`);
    const { start: later = 0, rate = 0, memory = 0, processor = 0 } = second;
    return { first: first['start'] ?? 0, later, rate, memory, processor };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function run({ rounds, option }: Course): Promise<Row[]> {
  const measured: Figures[] = [];
  for (let round = 0; round < rounds; round++) measured.push(await measure(option('tasks', TASKS)));
  const row = (what: string, figure: string, unit: string, target?: Target): Row => {
    const values = measured.map((figures) => figures[figure] ?? NaN);
    const middle = median(values);
    const shown = (value: number) => value.toFixed(0);
    return {
      what,
      ours: `${shown(middle)} ${unit}`,
      peer: '',
      ratio: `${shown(Math.min(...values))} to ${shown(Math.max(...values))}`,
      must: target ? describe(target) : '',
      met: target && meets(middle, target),
    };
  };
  return [
    row('first start', 'first', 'ms', { atMost: 1_500 }),
    row('later start', 'later', 'ms', { atMost: 800 }),
    row('enqueued, run and waited for', 'rate', 'tasks/s', { atLeast: 1_000 }),
    row('resident memory', 'memory', 'MB', { atMost: 250 }),
    row('processor time of the later start and the tasks', 'processor', 'ms'),
  ];
}
