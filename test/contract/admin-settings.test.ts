import { afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Injectable, type INestApplicationContext } from '@nestjs/common';
import { chord, InvalidArgumentsError, Task, TaskAdmin, TaskQueue, type TaskQueueOptions } from 'nestjs-task-queue';
import { ENGINE } from '../../lib/task-queue-tokens.js';
import type { Engine } from '../../lib/engine/engine.js';
import { boot } from '../support/boot.js';
import { describeEachEngine, type Place } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { Recorder } from '../support/recorder.js';
import { until } from '../support/until.js';

let starts: Recorder<string>;
let gates: Map<string, Gate>;
let running: number;
let mostRunning: number;

@Injectable()
class Mail {
  @Task({ queue: 'mail' })
  async send(to: string): Promise<string> {
    running++;
    mostRunning = Math.max(mostRunning, running);
    starts.record(to);
    await gates.get(to)?.opened;
    running--;
    return to;
  }

  @Task({ queue: 'mail' })
  join(all: string[]): string {
    return all.join();
  }
}

@Injectable()
class Canary {
  @Task({ queue: 'canary' })
  sing(): string {
    return 'la';
  }
}

describeEachEngine('TaskAdmin: the settings of queues', (engine) => {
  let place: Place;
  let apps: INestApplicationContext[];

  beforeAll(async () => {
    place = await engine.place();
    // The first start of an embedded engine takes longest.
    await (await boot({ ...place, role: 'producer' })).app.close();
  });
  beforeEach(() => {
    [starts, gates, running, mostRunning, apps] = [new Recorder(), new Map(), 0, 0, []];
  });
  afterEach(async () => {
    for (const gate of gates.values()) gate.open();
    const admin = apps.at(-1)?.get(TaskAdmin);
    await admin?.setGlobalConcurrency('mail', null);
    await admin?.setRateLimit('mail', null);
    await admin?.resume('mail');
    await Promise.all(apps.map((app) => app.close()));
  });

  /** Starts another application. Only one can use the embedded engine, so an earlier one is closed there. */
  async function start(
    options: TaskQueueOptions = {},
  ): Promise<{ admin: TaskAdmin; queue: TaskQueue; engine: Engine }> {
    if (engine.name === 'embedded') await Promise.all(apps.splice(0).map((app) => app.close()));
    const { app, queue } = await boot({ ...place, ...options }, [Mail, Canary]);
    apps.push(app);
    return { admin: app.get(TaskAdmin), queue, engine: app.get(ENGINE) };
  }

  function hold(name: string): Gate {
    const made = new Gate();
    gates.set(name, made);
    return made;
  }

  /** By then, the workers would have taken what waits in another queue. */
  async function waitForCanary(queue: TaskQueue): Promise<void> {
    await (await queue.of(Canary).sing.enqueue()).result();
  }

  it('keeps tasks of a paused queue queued, also from workers that start later, until it is resumed', async () => {
    const producer = await start({ role: 'producer' });
    await producer.admin.pause('mail', { by: 'ada', reason: 'The server is down.' });
    const { id } = await producer.queue.of(Mail).send.enqueue('early');
    const worker = await start();
    const { queue } = worker;
    const early = queue.handle<string>(id);
    const delayed = await queue.of(Mail).send.with({ delay: 1 }).enqueue('delayed');
    await waitForCanary(queue);
    await until(async () => (await delayed.status()).state !== 'scheduled', 'the delayed task is due');
    await waitForCanary(queue);
    expect((await early.status()).state).toBe('queued');
    expect((await delayed.status()).state).toBe('queued');
    expect(starts.entries).toEqual([]);
    const [settings] = await worker.engine.control.settings(['mail']);
    expect(settings).toMatchObject({ paused: true, pausedBy: { by: 'ada', reason: 'The server is down.' } });
    await worker.admin.resume('mail', { by: 'bob' });
    expect(await Promise.all([early.result(), delayed.result()])).toEqual(['early', 'delayed']);
    expect((await worker.engine.control.settings(['mail']))[0]).toMatchObject({ paused: false, pausedBy: null });
  });

  it('lets a running task of a paused queue end, and workflows wait in it', async () => {
    const { admin, queue } = await start({ queues: { mail: { concurrency: 1 } } });
    const first = hold('first');
    const { send, join } = queue.of(Mail);
    const runs = await send.enqueue('first');
    await starts.until((entries) => entries.includes('first'));
    await admin.pause('mail');
    const workflow = await chord([send.signature('a'), send.signature('b')], join.signature()).enqueue();
    first.open();
    expect(await runs.result()).toBe('first');
    await waitForCanary(queue);
    expect(starts.entries).toEqual(['first']);
    expect((await workflow.status()).state).toBe('waiting');
    await admin.resume('mail');
    expect(await workflow.result()).toBe('a,b');
  });

  it('clears away what is cancelled in a paused queue, and runs it again after a retry', async () => {
    const { admin, queue } = await start();
    await admin.pause('mail');
    const handle = await queue.of(Mail).send.enqueue('again');
    expect((await handle.cancel('no')).state).toBe('cancelled');
    expect((await handle.retry()).state).toBe('queued');
    await admin.resume('mail');
    expect(await handle.result()).toBe('again');
  });

  it('limits the tasks that run at once in all workers, and lets more start as soon as the limit is higher', async () => {
    await start();
    const first = await start();
    await first.admin.setGlobalConcurrency('mail', 2, { by: 'ada', reason: 'slow' });
    const names = ['1', '2', '3', '4', '5'];
    for (const name of names) hold(name);
    const handles = await first.queue.of(Mail).send.enqueueMany(names.map((name) => [name]));
    await starts.until(({ length }) => length === 2);
    await waitForCanary(first.queue);
    expect(starts.entries).toHaveLength(2);
    const [settings] = await first.engine.control.settings(['mail']);
    expect(settings?.globalConcurrency).toMatchObject({ value: 2, by: { by: 'ada', reason: 'slow' } });
    await first.admin.setGlobalConcurrency('mail', 3);
    await starts.until(({ length }) => length === 3);
    await waitForCanary(first.queue);
    expect(mostRunning).toBe(3);
    await first.admin.setGlobalConcurrency('mail', null);
    await starts.until(({ length }) => length === 5);
    expect((await first.engine.control.settings(['mail']))[0]?.globalConcurrency).toBeNull();
    for (const open of gates.values()) open.open();
    await Promise.all(handles.map((handle) => handle.result()));
  });

  it('prefers a stored rate limit to the declared one, in workers that run and that start later', async () => {
    const declared = { queues: { mail: { rateLimit: { max: 1, per: '1h' as const } } } };
    const earlier = await start(declared);
    const handles = await earlier.queue.of(Mail).send.enqueueMany(['1', '2', '3', '4'].map((name) => [name]));
    await starts.until(({ length }) => length === 1);
    await waitForCanary(earlier.queue);
    expect(starts.entries).toHaveLength(1);
    await earlier.admin.setRateLimit('mail', { max: 2, per: 50 }, { by: 'ada' });
    await Promise.all(handles.map((handle) => handle.result()));
    const { admin, queue, engine: port } = await start(declared);
    expect((await port.control.settings(['mail']))[0]?.rateLimit).toMatchObject({
      value: { max: 2, per: 50 },
      by: { by: 'ada', reason: null },
    });
    const more = await queue.of(Mail).send.enqueueMany(['5', '6', '7', '8'].map((name) => [name]));
    await Promise.all(more.map((handle) => handle.result()));
    await admin.setRateLimit('mail', null);
    expect((await port.control.settings(['mail']))[0]?.rateLimit).toBeNull();
    const rest = await queue.of(Mail).send.enqueueMany([['9'], ['10'], ['11']]);
    await starts.until(({ length }) => length === 9);
    await waitForCanary(queue);
    expect(starts.entries).toHaveLength(9);
    await Promise.all(rest.map((handle) => handle.cancel()));
  });

  it('limits a queue that declares no rate limit, and gives back what tasks use up that do not run', async () => {
    const { admin, queue } = await start({ queues: { mail: { concurrency: 1 } } });
    const first = hold('first');
    const { send } = queue.of(Mail);
    const runs = await send.enqueue('first');
    await starts.until(({ length }) => length === 1);
    await admin.setRateLimit('mail', { max: 1, per: '1h' });
    const cancelled = await send.enqueue('cancelled');
    const next = await send.enqueue('next');
    const last = await send.enqueue('last');
    await cancelled.cancel();
    first.open();
    await runs.result();
    // The cancelled task is taken, and gives back the only start of this hour.
    expect(await next.result()).toBe('next');
    await waitForCanary(queue);
    expect((await last.status()).state).toBe('queued');
    await admin.setRateLimit('mail', null);
    expect(await last.result()).toBe('last');
  });

  it('shows the settings of each queue: in force, declared by the workers, and set by whom', async () => {
    await start({ queues: { mail: { rateLimit: { max: 5, per: '1s' } } } });
    const { admin } = await start(
      engine.name === 'embedded' ? { queues: { mail: { rateLimit: { max: 5, per: '1s' } } } } : { role: 'producer' },
    );
    const mail = async () => (await admin.queues()).find(({ name }) => name === 'mail');
    const declared = { max: 5, per: 1_000 };
    expect(await mail()).toMatchObject({
      paused: false,
      pausedBy: null,
      globalConcurrency: { inForce: null, declared: null, override: null },
      rateLimit: { inForce: declared, declared, override: null },
    });
    await admin.pause('mail', { by: 'ada', reason: 'Slow.' });
    await admin.setGlobalConcurrency('mail', 3);
    await admin.setRateLimit('mail', { max: 1, per: '1h' }, { by: 'bob' });
    const value = { max: 1, per: 3_600_000 };
    const at = expect.stringMatching(/^\d{4}-.*Z$/) as unknown as string;
    expect(await mail()).toMatchObject({
      paused: true,
      pausedBy: { by: 'ada', at, reason: 'Slow.' },
      globalConcurrency: { inForce: 3, declared: null, override: { value: 3, by: 'unknown', at, reason: null } },
      rateLimit: { inForce: value, declared, override: { value, by: 'bob', at, reason: null } },
    });
  });

  it('refuses names that no queue has, and wrong numbers, and changes nothing then', async () => {
    const { admin, engine: port } = await start({ role: 'producer' });
    for (const name of ['', 'a b', '_workflows', '_control', 'a:b', 'x'.repeat(64), 7 as unknown as string]) {
      await expect(admin.pause(name)).rejects.toThrow(InvalidArgumentsError);
      await expect(admin.resume(name)).rejects.toThrow('is no queue name');
      await expect(admin.setGlobalConcurrency(name, 1)).rejects.toThrow(/^queue is /);
      await expect(admin.setRateLimit(name, { max: 1, per: '1s' })).rejects.toThrow(/^queue is /);
    }
    for (const value of [0, -1, 1.5, Number.NaN, Infinity, 2 ** 31, '3' as unknown as number]) {
      await expect(admin.setGlobalConcurrency('mail', value)).rejects.toThrow(/^concurrency is .*whole number/);
      await expect(admin.setRateLimit('mail', { max: value, per: '1s' })).rejects.toThrow(/^limit\.max is /);
    }
    for (const per of [0, -1, '0s', '-1s', 'soon', undefined]) {
      const limit = { max: 1, per: per as '1s' };
      await expect(admin.setRateLimit('mail', limit)).rejects.toThrow(/^limit\.per is /);
    }
    await expect(admin.pause('mail', { by: 'x'.repeat(201) })).rejects.toThrow(/^by is a text of 201 characters/);
    await expect(admin.pause('mail', { reason: {} as string })).rejects.toThrow(/^reason is object/);
    expect(await port.control.settings(['mail'])).toEqual([
      { paused: false, pausedBy: null, globalConcurrency: null, declaredConcurrency: null, rateLimit: null },
    ]);
  });
});
