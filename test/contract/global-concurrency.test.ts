import { afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Injectable, type INestApplicationContext } from '@nestjs/common';
import { Task, TaskAdmin, type TaskQueueOptions } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine, type Place } from '../support/engines.js';

let running: number;
let mostRunning: number;

@Injectable()
class Mail {
  @Task({ queue: 'mail' })
  async send(to: string): Promise<string> {
    mostRunning = Math.max(mostRunning, ++running);
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    running--;
    return to;
  }
}

describeEachEngine('globalConcurrency of a queue', (engine) => {
  let place: Place;
  let apps: INestApplicationContext[];

  beforeAll(async () => {
    place = await engine.place();
    // The first start of an embedded engine takes longest.
    await (await boot({ ...place, role: 'producer' })).app.close();
  });
  beforeEach(() => {
    [running, mostRunning, apps] = [0, 0, []];
  });
  afterEach(() => Promise.all(apps.map((app) => app.close())));

  /** Starts another application. Only one can use the embedded engine, so an earlier one is closed there. */
  async function start(globalConcurrency?: number, options: TaskQueueOptions = {}): Promise<Booted> {
    if (engine.name === 'embedded') await Promise.all(apps.splice(0).map((app) => app.close()));
    const mail = globalConcurrency === undefined ? {} : { globalConcurrency };
    const booted = await boot({ ...place, queues: { mail }, ...options }, [Mail]);
    apps.push(booted.app);
    return booted;
  }

  const settingOf = async ({ app }: Booted) =>
    (await app.get(TaskAdmin).queues()).find(({ name }) => name === 'mail')?.globalConcurrency;

  it('limits the tasks that run in all processes together', async () => {
    const [first] = [await start(2), await start(2)];
    const latest = apps.length === 1 ? { app: apps[0] as INestApplicationContext, queue: first.queue } : first;
    const { queue } = engine.name === 'embedded' ? await start(2) : latest;
    const handles = await queue.of(Mail).send.enqueueMany(Array.from({ length: 40 }, (_, n): [string] => [`${n}`]));
    await Promise.all(handles.map((handle) => handle.result()));
    expect(mostRunning).toBe(2);
  });

  it('is that of the worker that started last, until an administrator sets another', async () => {
    await start(2);
    const second = await start(3);
    expect(await settingOf(second)).toMatchObject({ inForce: 3, declared: 3, override: null });

    const admin = second.app.get(TaskAdmin);
    await admin.setGlobalConcurrency('mail', 1, { by: 'ada' });
    expect(await settingOf(second)).toMatchObject({ inForce: 1, declared: 3, override: { value: 1, by: 'ada' } });
    const third = await start(4);
    expect(await settingOf(third)).toMatchObject({ inForce: 1, declared: 4, override: { value: 1, by: 'ada' } });
    const handles = await third.queue.of(Mail).send.enqueueMany([['a'], ['b'], ['c'], ['d']]);
    await Promise.all(handles.map((handle) => handle.result()));
    expect(mostRunning).toBe(1);

    await third.app.get(TaskAdmin).setGlobalConcurrency('mail', null);
    expect(await settingOf(third)).toMatchObject({ inForce: 4, declared: 4, override: null });
    const fourth = await start();
    expect(await settingOf(fourth)).toMatchObject({ inForce: null, declared: null, override: null });
  });

  it('is a whole number from 1', async () => {
    await expect(start(0)).rejects.toThrow('queues.mail.globalConcurrency is 0');
  });
});
