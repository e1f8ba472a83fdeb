import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { chain, group, Task, TaskCancelledError, type TaskHandle, type Tasks } from 'nestjs-task-queue';
import { OutcomeTranslator } from '../../lib/engine/bullmq/consumer/outcome-translator.js';
import { TaskRetries } from '../../lib/engine/bullmq/operations/retries.js';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { until } from '../support/until.js';

@Injectable()
class Work {
  static fails = true;
  static runs = 0;

  /** Ignores its signal: its cancelled attempt ends 250 ms after the cancel. */
  @Task()
  async deaf(): Promise<string> {
    Work.runs++;
    await new Promise((resolve) => setTimeout(resolve, 800));
    return 'heard nothing';
  }

  @Task()
  async echo(text: string): Promise<string> {
    return text;
  }

  @Task()
  async failing(): Promise<string> {
    await new Promise((resolve) => setTimeout(resolve, 100));
    if (Work.fails) throw new Error('the first time');
    return 'good';
  }
}

/** Stops everything in this process, so that a cancelled run ends later than a retry waits for it. */
function blockEventLoop(): void {
  const end = performance.now() + 2_300;
  while (performance.now() < end);
}

/** The next end that is no success is stored later than a retry waits for it. */
function delayNextEnd(): void {
  const { translate } = OutcomeTranslator.prototype;
  jest.spyOn(OutcomeTranslator.prototype, 'translate').mockImplementationOnce(async function (
    this: OutcomeTranslator,
    ...args
  ) {
    await new Promise((resolve) => setTimeout(resolve, 3_500));
    return translate.apply(this, args);
  });
}

describeEachEngine('a retry while a cancelled run still ends', (engine) => {
  let booted: Booted;
  let work: Tasks<Work>;

  beforeAll(async () => {
    booted = await boot(await engine.place(), [Work]);
    work = booted.queue.of(Work);
  });
  afterEach(() => void jest.restoreAllMocks());
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

  it('runs the task again after a run that ends much later', async () => {
    const handle = await work.deaf.enqueue();
    await running(handle);
    await handle.cancel();
    const before = Work.runs;
    const retried = handle.retry();
    blockEventLoop();
    expect(['running', 'queued']).toContain((await retried).state);
    await expect(handle.result({ timeout: '10s' })).resolves.toBe('heard nothing');
    expect(Work.runs).toBe(before + 1);
    expect(await handle.status()).toMatchObject({ state: 'succeeded', attempt: 1 });
    // The task has ended: nothing runs it once more.
    await expect((await work.echo.enqueue('next')).result({ timeout: '10s' })).resolves.toBe('next');
    expect(Work.runs).toBe(before + 1);
  }, 30_000);

  // A memory engine ends with the process of its worker.
  if (engine.name !== 'memory') {
    it('runs the task again also when its worker dies right after it has stored the end', async () => {
      const retries = jest.spyOn(TaskRetries.prototype, 'retryIfAsked').mockResolvedValueOnce(undefined);
      delayNextEnd();
      const handle = await work.deaf.enqueue();
      await running(handle);
      await handle.cancel();
      expect(await handle.retry()).toMatchObject({ state: 'running' });
      await until(() => retries.mock.calls.length === 1, 'the worker has stored the end', 10_000);
      expect(await handle.status()).toMatchObject({ state: 'queued', finishedAt: null });
      await expect(handle.result({ timeout: '20s' })).resolves.toBe('heard nothing');
    }, 40_000);

    it('leaves the task cancelled whose retry a caller has withdrawn', async () => {
      delayNextEnd();
      const handle = await work.deaf.enqueue();
      await running(handle);
      await handle.cancel();
      await handle.retry();
      await handle.cancel();
      await expect(handle.result({ timeout: '20s' })).rejects.toThrow(TaskCancelledError);
      // The duty that was to run it again looks a second after the end.
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      expect((await handle.status()).state).toBe('cancelled');
    }, 40_000);
  }

  it('runs a workflow again whose other members end much later', async () => {
    Work.fails = true;
    const members = [
      work.failing.signature(),
      work.deaf.signature(),
      chain(work.deaf.signature(), work.echo.signature()),
    ];
    const handle = await group(members).enqueue();
    await expect(handle.result({ timeout: '10s' })).rejects.toThrow('the first time');
    Work.fails = false;
    const retried = handle.retry();
    blockEventLoop();
    await retried;
    await expect(handle.result({ timeout: '15s' })).resolves.toEqual(['good', 'heard nothing', 'heard nothing']);
  }, 30_000);

  it('lets the task be cancelled again before the earlier run has ended', async () => {
    const handle = await work.deaf.enqueue();
    await running(handle);
    await handle.cancel();
    const retried = handle.retry();
    blockEventLoop();
    await retried;
    await handle.cancel('after all');
    await expect(handle.result({ timeout: '10s' })).rejects.toThrow(TaskCancelledError);
    expect((await handle.status()).state).toBe('cancelled');
  }, 30_000);
});
