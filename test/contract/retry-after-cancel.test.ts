import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { group, Task, type TaskHandle, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { until } from '../support/until.js';

@Injectable()
class Work {
  static fails = true;

  /** Ignores its signal: its cancelled attempt ends 250 ms after the cancel. */
  @Task()
  async deaf(): Promise<string> {
    await new Promise((resolve) => setTimeout(resolve, 800));
    return 'heard nothing';
  }

  @Task()
  async failing(): Promise<string> {
    await new Promise((resolve) => setTimeout(resolve, 100));
    if (Work.fails) throw new Error('the first time');
    return 'good';
  }
}

describeEachEngine('a retry while a cancelled run still ends', (engine) => {
  let booted: Booted;
  let work: Tasks<Work>;

  beforeAll(async () => {
    booted = await boot(await engine.place(), [Work]);
    work = booted.queue.of(Work);
  });
  afterAll(() => booted.app.close());

  const running = (handle: TaskHandle) => until(async () => (await handle.status()).state === 'running');

  it('runs the task again', async () => {
    const handle = await work.deaf.enqueue();
    await running(handle);
    await handle.cancel();
    await handle.retry();
    await expect(handle.result({ timeout: '10s' })).resolves.toBe('heard nothing');
  });

  it('runs a workflow again whose other members were cancelled because one failed', async () => {
    Work.fails = true;
    const handle = await group([work.failing.signature(), work.deaf.signature(), work.deaf.signature()]).enqueue();
    await expect(handle.result({ timeout: '10s' })).rejects.toThrow('the first time');
    Work.fails = false;
    await handle.retry();
    await expect(handle.result({ timeout: '10s' })).resolves.toEqual(['good', 'heard nothing', 'heard nothing']);
  });

  it('runs a workflow again that was cancelled as a whole', async () => {
    const handle = await group([work.deaf.signature(), group([work.deaf.signature()])]).enqueue();
    const [first] = await handle.children();
    await running(first as TaskHandle);
    await handle.cancel();
    await handle.retry();
    await expect(handle.result({ timeout: '10s' })).resolves.toEqual(['heard nothing', ['heard nothing']]);
  });
});
