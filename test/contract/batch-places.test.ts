import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task, TaskAdmin, type TaskBatch, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine, type Place } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { until } from '../support/until.js';

/** What runs in all applications of this process. */
const runs = { now: 0, most: 0, sizes: [] as number[], gate: new Gate() };

async function run(calls: number): Promise<void> {
  runs.most = Math.max(runs.most, ++runs.now);
  runs.sizes.push(calls);
  await runs.gate.opened;
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  runs.now--;
}

@Injectable()
class Rows {
  @Task({ queue: 'rows', batch: { size: 5, wait: '20ms' } })
  async store(calls: TaskBatch<[number]>): Promise<void> {
    await run(calls.length);
  }

  @Task({ queue: 'alone', batch: { size: 5, wait: '20ms' } })
  async alone(calls: TaskBatch<[number]>): Promise<void> {
    await run(calls.length);
  }

  @Task()
  async one(): Promise<void> {
    await run(1);
  }
}

/** The same task as it was before it took batches. */
@Injectable()
class SingleRows {
  @Task({ name: 'Rows.store', queue: 'rows' })
  async store(_row: number): Promise<void> {
    await run(1);
  }
}

describeEachEngine('places for batches', (engine) => {
  let place: Place;
  let booted: Booted[];
  let rows: Tasks<Rows>;
  let admin: TaskAdmin;

  beforeAll(async () => {
    place = await engine.place();
    const queues = { rows: { concurrency: 3, globalConcurrency: 2 }, alone: { concurrency: 2 } };
    // Only one application can use the embedded engine.
    const applications = engine.name === 'embedded' ? 1 : 2;
    booted = [];
    for (let count = 0; count < applications; count++) booted.push(await boot({ ...place, queues }, [Rows]));
    const [{ queue, app }] = booted as [Booted];
    rows = queue.of(Rows);
    admin = app.get(TaskAdmin);
  });
  beforeEach(() => {
    Object.assign(runs, { now: 0, most: 0, sizes: [], gate: new Gate() });
  });
  afterAll(() => Promise.all((booted ?? []).map(({ app }) => app.close())));

  const numbers = (count: number) => Array.from({ length: count }, (_, number): [number] => [number]);
  const settingOf = async (queue: string) =>
    (await admin.queues()).find(({ name }) => name === queue)?.globalConcurrency;

  it('globalConcurrency counts runs of the method, in all processes', async () => {
    const handles = await rows.store.enqueueMany(numbers(40));
    await until(() => runs.now === 2);
    runs.gate.open();
    await Promise.all(handles.map((handle) => handle.result()));
    expect(runs.most).toBe(2);
    // Calls wait for a place in the meantime, and come into the same batch.
    expect(runs.sizes.reduce((sum, size) => sum + size)).toBe(40);
    expect(runs.sizes.length).toBeLessThan(20);
    expect(await settingOf('rows')).toMatchObject({ declared: 2, inForce: 2 });
  });

  it('setGlobalConcurrency() counts runs too, and null goes back to the code', async () => {
    await admin.setGlobalConcurrency('rows', 3, { by: 'ada' });
    const handles = await rows.store.enqueueMany(numbers(60));
    await until(() => runs.now === 3);
    expect(await settingOf('rows')).toMatchObject({ declared: 2, inForce: 3, override: { value: 3, by: 'ada' } });
    await admin.setGlobalConcurrency('rows', null);
    expect(await settingOf('rows')).toMatchObject({ declared: 2, inForce: 2, override: null });
    runs.gate.open();
    await Promise.all(handles.map((handle) => handle.result()));
    expect(runs.most).toBe(3);
  });

  it('are why a call waits in the queue', async () => {
    const handles = await rows.store.enqueueMany(numbers(60));
    await until(() => runs.now === 2);
    await until(async () => {
      const [waiting] = (await admin.tasks({ queue: 'rows', state: 'queued' })).items;
      return (
        waiting !== undefined &&
        (await handles.find(({ id }) => id === waiting.id)?.status())?.blockedBy === 'concurrency'
      );
    });
    runs.gate.open();
    await Promise.all(handles.map((handle) => handle.result()));
  });

  it('are for single tasks too that a caller puts into a queue with batches', async () => {
    const handles = await rows.one.with({ queue: 'rows' }).enqueueMany(Array.from({ length: 10 }, (): [] => []));
    await until(() => runs.now === 2);
    runs.gate.open();
    await Promise.all(handles.map((handle) => handle.result()));
    expect(runs.most).toBe(2);

    Object.assign(runs, { most: 0, gate: new Gate() });
    const others = await rows.one.with({ queue: 'alone' }).enqueueMany(Array.from({ length: 10 }, (): [] => []));
    // An application may take them all, and runs as many batches at once as the queue says.
    await until(async () => {
      const statuses = await Promise.all(others.map((handle) => handle.status()));
      return statuses.every(({ state }) => state === 'running');
    });
    runs.gate.open();
    await Promise.all(others.map((handle) => handle.result()));
    expect(runs.most).toBeGreaterThanOrEqual(2);
    expect(runs.most).toBeLessThanOrEqual(2 * booted.length);
  });

  it('no more run than there are places while a worker of an earlier deploy runs them one by one', async () => {
    // Only one application can use the embedded engine.
    if (engine.name === 'embedded') return;
    const queues = { rows: { concurrency: 10, globalConcurrency: 2 } };
    const earlier = await boot({ ...place, queues }, [SingleRows]);
    // It starts last, and does not take the limit away from the earlier one.
    const later = await boot({ ...place, queues }, [Rows]);
    const handles = await rows.store.enqueueMany(numbers(40));
    // The two calls that may be taken can come into one batch.
    await until(() => runs.now > 0);
    await new Promise((resolve) => setTimeout(resolve, 500));
    runs.gate.open();
    await Promise.all(handles.map((handle) => handle.result()));
    expect(runs.most).toBeLessThanOrEqual(2);
    expect(runs.sizes.reduce((sum, size) => sum + size)).toBe(40);
    await earlier.app.close();
    await until(
      async () => {
        runs.sizes = [];
        const more = await rows.store.enqueueMany(numbers(40));
        await Promise.all(more.map((handle) => handle.result()));
        return Math.max(...runs.sizes) > 2;
      },
      'the places count runs again',
      60_000,
    );
    await later.app.close();
  }, 120_000);

  it('a single task that waits for one can be cancelled', async () => {
    const blocking = await rows.one.with({ queue: 'rows' }).enqueueMany([[], []]);
    await until(() => runs.now === 2);
    const waiting = await rows.one.with({ queue: 'rows' }).enqueue();
    await until(async () => (await waiting.status()).state === 'running');
    await waiting.cancel();
    await until(async () => (await waiting.status()).state === 'cancelled');
    runs.gate.open();
    await Promise.all(blocking.map((handle) => handle.result()));
    expect(runs.sizes).toEqual([1, 1]);
  });

  it('a call for which there was no place before it expired does not run', async () => {
    const blocking = await rows.store.enqueueMany(numbers(10));
    await until(() => runs.now === 2);
    const handle = await rows.store.with({ expires: '300ms' }).enqueue(1);
    await until(async () => (await handle.status()).state === 'expired');
    runs.gate.open();
    await Promise.all(blocking.map((one) => one.result()));
    expect(runs.sizes.reduce((sum, size) => sum + size)).toBe(10);
  });
});
