import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task, type Tasks } from 'nestjs-task-queue';
import { setTimeout as sleep } from 'node:timers/promises';
import { boot, type Booted } from '../support/boot.js';
import { describeEachDatabase } from '../support/engines.js';
import { CheckedBus } from '../../lib/engine/bullmq/checked-bus.js';

@Injectable()
class Sums {
  @Task()
  add(a: number, b: number): number {
    return a + b;
  }

  @Task({ retries: 0 })
  fail(text: string): void {
    throw new Error(text);
  }
}

afterEach(() => void jest.restoreAllMocks());

/** A process that waits for most of its tasks names itself in them. On the embedded engine it runs them itself. */
describeEachDatabase('a caller who waits for each result before the next call', (engine) => {
  let web: Booted;
  let worker: Booted;
  let sums: Tasks<Sums>;

  beforeAll(async () => {
    const options = await engine.place();
    worker = await boot(options, [Sums]);
    web = engine.name === 'embedded' ? worker : await boot({ ...options, role: 'producer' }, [Sums]);
    sums = web.queue.of(Sums);
    for (let n = 0; n < 15; n++) expect(await (await sums.add.enqueue(n, 1)).result()).toBe(n + 1);
  });
  afterAll(() => Promise.all([web.app.close(), worker.app.close()]));

  it('gets every result at once, and needs no request to the workers', async () => {
    const publish = jest.spyOn(CheckedBus.prototype, 'publish');
    const times: number[] = [];
    for (let n = 0; n < 20; n++) {
      const start = performance.now();
      expect(await (await sums.add.enqueue(n, 2)).result()).toBe(n + 2);
      times.push(performance.now() - start);
    }
    // A request would be repeated only by the first poll, after a second.
    expect(times.toSorted((one, other) => one - other)[10]).toBeLessThan(500);
    const requests = publish.mock.calls.filter(([channel]) => channel === 'workers');
    expect(requests.length).toBeLessThanOrEqual(engine.name === 'embedded' ? 20 : 2);
  });

  it('hears of failures as well', async () => {
    for (let n = 0; n < 3; n++)
      await expect((await sums.fail.enqueue(`reason ${n}`)).result()).rejects.toThrow(`reason ${n}`);
  });

  it('gets the results of tasks that ended before it asked for them', async () => {
    for (const pause of [50, 300, 1_200]) {
      const handle = await sums.add.enqueue(pause, 3);
      await sleep(pause);
      const start = performance.now();
      expect(await handle.result()).toBe(pause + 3);
      expect(performance.now() - start).toBeLessThan(800);
    }
  });

  it('gets the results of many calls at once', async () => {
    const handles = await sums.add.enqueueMany(Array.from({ length: 200 }, (_, n): [number, number] => [n, 4]));
    expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual(handles.map((_, n) => n + 4));
  });

  it('sees every change that it asks for', async () => {
    const states: string[] = [];
    const handle = await sums.add.with({ delay: 300 }).enqueue(1, 5);
    for await (const { state } of handle.updates()) states.push(state);
    expect(states.at(0)).toBe('scheduled');
    expect(states.at(-1)).toBe('succeeded');
  });
});
