import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { randomBytes } from 'node:crypto';
import { chain, Task, type EnqueueOptions, type TaskHandle, type Tasks } from 'nestjs-task-queue';
import type { Engine } from '../../../lib/engine/engine.js';
import type { Driver } from '../../../lib/engine/bullmq/driver.js';
import type { ListPosition } from '../../../lib/engine/ports/list-port.js';
import type { FoundJob } from '../../../lib/engine/bullmq/stored-jobs.js';
import { ENGINE } from '../../../lib/task-queue-tokens.js';
import { boot, type Booted } from '../../support/boot.js';
import { describeEachDatabase } from '../../support/engines.js';
import { Gate } from '../../support/gate.js';

@Injectable()
class Work {
  static gate = new Gate();

  @Task()
  async echo(value?: unknown): Promise<unknown> {
    return value ?? null;
  }

  @Task({ retries: 1, backoff: { type: 'fixed', delay: 60_000 } })
  async fail(message: string): Promise<void> {
    throw new Error(message);
  }

  @Task()
  async held(): Promise<void> {
    await Work.gate.opened;
  }
}

describeEachDatabase('look-ups', (engine) => {
  let booted: Booted;
  let work: Tasks<Work>;
  let native: Queue;
  let driver: Driver;

  beforeAll(async () => {
    Work.gate = new Gate();
    booted = await boot({ ...(await engine.place()), queues: { default: { priorities: true } } }, [Work]);
    work = booted.queue.of(Work);
    const bullmq = booted.app.get<{ driver: Driver } & Engine>(ENGINE);
    native = bullmq.native('default') as Queue;
    driver = bullmq.driver;
  });
  afterAll(async () => {
    Work.gate.open();
    await booted.app.close();
  });
  afterEach(() => void jest.restoreAllMocks());

  async function reaches(handle: TaskHandle, wanted: string): Promise<TaskHandle> {
    for await (const { state } of handle.updates()) if (state === wanted) return handle;
    throw new Error(`The task never was ${wanted}.`);
  }

  it('read a job in every state as the two queries of BullMQ do', async () => {
    const later = { delay: '1h', headers: { tenant: 'ä' }, priority: 3 } as const;
    const handles = [
      await reaches(await work.echo.enqueue({ a: ['ü', null] }), 'succeeded'),
      await reaches(await work.echo.enqueue(), 'succeeded'),
      await reaches(await work.fail.with({ retries: 0 }).enqueue('no'), 'failed'),
      await reaches(await work.fail.enqueue('not yet'), 'retrying'),
      await reaches(await work.held.enqueue(), 'running'),
      await work.echo.with(later).enqueue('x'),
      await reaches(await chain(work.held.signature(), work.echo.signature()).enqueue(), 'waiting'),
    ];
    const states = ['completed', 'completed', 'failed', 'delayed', 'active', 'delayed', 'waiting-children'];
    const backend = native.getBackend();
    const found = await driver.jobs.find(handles.map(({ id }) => ({ queue: 'default', id })));
    expect(found.map((one) => one?.state)).toEqual(states);
    for (const [index, { id }] of handles.entries()) {
      expect(found[index]?.state).toBe(await backend.getState(id));
      // BullMQ's own reading has a property for each missing value, or none, depending on the database.
      expect(defined(found[index])).toEqual(defined({ json: (await backend.getJobData(id))!, state: states[index]! }));
    }
  });

  it('of thousands of callers at once take few calls to the store, and find what is there', async () => {
    const handles = await work.echo.with({ delay: '1h' }).enqueueMany(Array.from({ length: 600 }, (_, n) => [n]));
    const unknown = Array.from({ length: 400 }, (_, n) => `nowhere${n % 5}.${`${n}`.padStart(22, '0')}`);
    const find = jest.spyOn(driver.jobs, 'find');
    const ends = await Promise.allSettled(
      [...handles.map(({ id }) => id), ...unknown].map((id) => booted.queue.handle(id).status()),
    );
    expect(ends.map(({ status }) => status)).toEqual([
      ...handles.map(() => 'fulfilled'),
      ...unknown.map(() => 'rejected'),
    ]);
    // An unknown id is looked up twice: it may be that of a call for which another task stands.
    expect(find.mock.calls.length).toBeLessThanOrEqual(
      1_000 / driver.lookupLimits.size + 400 / driver.lookupLimits.size + 2,
    );
  });

  it('of large jobs read a few of them at a time, and find all in their order', async () => {
    const texts = largeTexts();
    const handles = await work.echo.enqueueMany(texts.map((text) => [text]));
    await Promise.all(handles.map((handle) => handle.result()));
    const refs = handles.map(({ id }) => ({ queue: 'default', id }));
    const nowhere = { queue: 'default', id: `default.${'0'.repeat(22)}` };
    const asked = [nowhere, ...refs, nowhere, ...refs.slice(0, 2)];
    const found: (FoundJob | undefined)[] = [];
    let reads = 0;
    for (; found.length < asked.length; reads++) found.push(...(await driver.jobs.find(asked.slice(found.length))));
    const results = found.map((job) => job && JSON.stringify(job.json.returnvalue));
    const places = [undefined, ...texts, undefined, ...texts.slice(0, 2)];
    expect(results.map((result, place) => result?.includes(places[place] ?? ' '))).toEqual(
      places.map((text) => (text === undefined ? undefined : true)),
    );
    if (engine.name !== 'redis') expect(reads).toBeGreaterThan(5);
  });

  it('of lists of large jobs find the same as those of one job at a time', async () => {
    const { lists } = booted.app.get<Engine>(ENGINE);
    const enqueueLarge = (options: EnqueueOptions) =>
      work.echo.with(options).enqueueMany(largeTexts().map((text) => [text]));
    const ended = await enqueueLarge({});
    await Promise.all(ended.map((handle) => handle.result()));
    await native.pause();
    await enqueueLarge({ delay: '1h' });
    await enqueueLarge({});
    for (const list of ['succeeded', 'delayed', 'prioritized'] as const) {
      const read = async (count: number, after?: ListPosition) => {
        const entries = await lists.list({ list, queues: ['default'], after, count });
        return entries.map(({ record, position }) => ({ id: record?.id, position }));
      };
      const page = await read(10);
      const alone = await read(1);
      while (alone.length < 10) alone.push(...(await read(1, alone.at(-1)?.position)));
      expect(page).toEqual(alone);
      expect(new Set(page.map(({ id }) => id)).size).toBe(10);
    }
    await native.resume();
  });

  it('of callers who cancel large tasks change a few of them at a time', async () => {
    const handles = await work.echo.with({ delay: '1h' }).enqueueMany(largeTexts().map((text) => [text]));
    const cancel = jest.spyOn(driver.jobs, 'cancel');
    const states = await Promise.all(handles.map(async (handle) => (await handle.cancel()).state));
    expect(states).toEqual(handles.map(() => 'cancelled'));
    expect(cancel.mock.calls.length).toBeGreaterThan(1);
  });
});

/** Texts that do not get smaller in the store: 7 MB. */
function largeTexts(): string[] {
  return Array.from({ length: 12 }, () => randomBytes(300_000).toString('hex'));
}

/** The properties of a found job that have a value. */
function defined(found: { json: FoundJob['json']; state: string } | undefined): unknown {
  const entries = Object.entries(found?.json ?? {}).filter(([, value]) => value !== undefined && !Number.isNaN(value));
  return { ...found, json: Object.fromEntries(entries) };
}
