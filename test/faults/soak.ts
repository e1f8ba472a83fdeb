/**
 * `npm run soak [-- --minutes=10 --engine=redis]`: enqueues half of what the workers can run, for many minutes, and
 * causes one fault in each minute. No task may be lost. At the end the web process may not use more memory or handles
 * than at the beginning.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { TaskQueueOptions } from 'nestjs-task-queue';
import { useRunFolder } from '../support/run-folder.js';
import type { TestProcess } from './support/test-process.js';
import { type EngineName, World } from './support/world.js';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, engine: { type: 'string', default: 'redis' } },
});
const MINUTE = 60_000;
/** Milliseconds that a task waits, as a task waits for another service. */
const TASK_TAKES = 20;
/** Milliseconds between two calls of the web process. */
const BEAT = 100;

await useRunFolder();
const world = await World.open(values.engine as EngineName, { durable: true });
try {
  await soak(world, Number(values.minutes));
} catch (error) {
  console.error(world.explain(error).message);
  process.exitCode = 1;
} finally {
  await world.close();
}

async function soak(on: World, minutes: number): Promise<void> {
  const options: TaskQueueOptions = {
    connection: await on.proxied(),
    abandonedAfter: '8s',
    // Shorter than the soak, so that the number of stored tasks stops growing.
    results: { ttl: '1m', failedTtl: '1m' },
  };
  const web = await on.start({ ...options, role: 'producer' });
  const worker = () => on.start({ ...options, role: 'worker' });
  const workers = [await worker(), await worker()];

  const capacity = await measureCapacity(on, web);
  const perBeat = Math.round((capacity / 2) * (BEAT / 1_000));
  console.log(`${on.engine}: ${capacity.toFixed(0)} tasks a second at most; ${perBeat} are enqueued every ${BEAT} ms.`);
  const begun = Date.now();
  const usage: Awaited<ReturnType<TestProcess['ask']['usage']>>[] = [];
  const faults = faultsOf(on, workers, worker);
  const end = begun + minutes * MINUTE;
  const traffic = enqueueUntil(end, on, web, perBeat);
  for (let minute = 0; minute < minutes; minute++) {
    await sleep(MINUTE / 2);
    usage.push(await web.ask.usage());
    const [name, cause] = faults[minute % faults.length] as (typeof faults)[number];
    console.log(
      `minute ${minute + 1}: ${(usage.at(-1)!.heap / 2 ** 20).toFixed(1)} MB, ${usage.at(-1)!.open} open; ${name}`,
    );
    await cause();
    await sleep(Math.max(begun + (minute + 1) * MINUTE - Date.now(), 0));
  }
  await traffic;
  await finishAll(on);
  const counts = on.counts();
  console.log(JSON.stringify({ minutes, engine: on.engine, ...counts }));
  assert.equal(counts.lost, 0, 'Tasks were lost.');
  assert(counts.unexpected <= counts.refused, 'Tasks ran although enqueueing them failed.');

  const [first, last] = [usage[Math.min(1, usage.length - 1)]!, await web.ask.usage()];
  const grown = (last.heap - first.heap) / 2 ** 20;
  console.log(`The heap has grown by ${grown.toFixed(1)} MB, the open handles from ${first.open} to ${last.open}.`);
  assert(grown < 10, 'The heap has grown.');
  assert(last.open <= first.open + 2, 'Handles were left open.');
}

/** Waits for all tasks as long as some finish: the machine may be slower than it was when the capacity was measured. */
async function finishAll(on: World): Promise<void> {
  for (;;) {
    const before = on.counts().finished;
    try {
      await on.finished();
      return;
    } catch (error) {
      if (on.counts().finished === before) throw error;
    }
  }
}

/** Measures how many tasks a second the workers run while tasks are always waiting. */
async function measureCapacity(on: World, web: TestProcess): Promise<number> {
  const tasks = 3_000;
  const begun = Date.now();
  await on.finished(await on.enqueueMany(web, 'slow', [TASK_TAKES], tasks));
  return tasks / ((Date.now() - begun) / 1_000);
}

async function enqueueUntil(end: number, on: World, web: TestProcess, perBeat: number): Promise<void> {
  for (let next = Date.now(); next < end; next += BEAT) {
    await sleep(Math.max(next - Date.now(), 0));
    await on.enqueueMany(web, 'slow', [TASK_TAKES], perBeat);
  }
}

function faultsOf(on: World, workers: TestProcess[], start: () => Promise<TestProcess>) {
  const replace = async (end: (process: TestProcess) => Promise<unknown>) => {
    const old = workers.shift() as TestProcess;
    workers.push(await start());
    await end(old);
  };
  const faults: [name: string, cause: () => Promise<unknown>][] = [
    ['a worker is killed', () => replace((old) => old.kill())],
    ['the connections are cut', async () => (await on.proxy).cut()],
    ['a worker is replaced', () => replace((old) => old.stop())],
    [
      'the network is frozen for 4 s',
      async () => {
        (await on.proxy).freeze();
        await sleep(4_000);
        (await on.proxy).thaw();
      },
    ],
    [
      'the server is restarted',
      async () => {
        await on.server.stop();
        await on.server.restart();
      },
    ],
  ];
  return faults;
}
