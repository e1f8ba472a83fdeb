import { afterAll, afterEach, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { chain, group, Task, TaskCancelledError, type TaskHandle, type Tasks } from 'nestjs-task-queue';
import { bullmq } from '../../lib/engine/bullmq/bullmq-package.cjs';
import { OutcomeTranslator } from '../../lib/engine/bullmq/consumer/outcome-translator.js';
import { JobLookup } from '../../lib/engine/bullmq/operations/job-lookup.js';
import { TaskRetries } from '../../lib/engine/bullmq/operations/retries.js';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { until } from '../support/until.js';

@Injectable()
class Work {
  static fails = true;
  static runs = 0;
  static ends = new Gate();
  static otherMembersRun = new Gate();

  /** Ignores its signal: its cancelled attempt ends 250 ms after the cancel, and another one when the test says so. */
  @Task()
  async deaf(): Promise<string> {
    Work.runs++;
    await Work.ends.opened;
    return 'heard nothing';
  }

  @Task()
  async echo(text: string): Promise<string> {
    return text;
  }

  @Task()
  async failing(): Promise<string> {
    await Work.otherMembersRun.opened;
    if (Work.fails) throw new Error('the first time');
    return 'good';
  }
}

/** Methods by which a task is run again. */
type Steps = Record<'takeKeyBack' | 'retry', (...args: unknown[]) => Promise<void>>;

/** Stops everything in this process, so that a cancelled run ends later than a retry waits for it. */
function blockEventLoop(): void {
  const end = performance.now() + 2_300;
  while (performance.now() < end);
}

/**
 * The next end that is no success is stored later than a retry waits for it.
 *
 * @returns lets the end be stored
 */
function holdNextEnd(): () => void {
  const gate = new Gate();
  const { translate } = OutcomeTranslator.prototype;
  jest.spyOn(OutcomeTranslator.prototype, 'translate').mockImplementationOnce(async function (
    this: OutcomeTranslator,
    ...args
  ) {
    await gate.opened;
    return translate.apply(this, args);
  });
  return () => gate.open();
}

describeEachEngine('a retry while a cancelled run still ends', (engine) => {
  let booted: Booted;
  let work: Tasks<Work>;

  beforeAll(async () => {
    booted = await boot(await engine.place(), [Work]);
    work = booted.queue.of(Work);
  });
  beforeEach(() => void Object.assign(Work, { runs: 0, ends: new Gate(), otherMembersRun: new Gate() }));
  afterEach(() => {
    Work.ends.open();
    jest.restoreAllMocks();
  });
  afterAll(() => booted.app.close());

  const running = (handle: TaskHandle) => until(async () => (await handle.status()).state === 'running');
  const otherMembersRun = async () => {
    await until(() => Work.runs === 2);
    Work.otherMembersRun.open();
  };

  it('runs the task again', async () => {
    const handle = await work.deaf.enqueue();
    await running(handle);
    await handle.cancel();
    await handle.retry();
    Work.ends.open();
    await expect(handle.result({ timeout: '10s' })).resolves.toBe('heard nothing');
  });

  it('runs a workflow again whose other members were cancelled because one failed', async () => {
    Work.fails = true;
    const handle = await group([work.failing.signature(), work.deaf.signature(), work.deaf.signature()]).enqueue();
    await otherMembersRun();
    await expect(handle.result({ timeout: '10s' })).rejects.toThrow('the first time');
    Work.fails = false;
    await handle.retry();
    Work.ends.open();
    await expect(handle.result({ timeout: '10s' })).resolves.toEqual(['good', 'heard nothing', 'heard nothing']);
  });

  it('runs a workflow again that was cancelled as a whole', async () => {
    const handle = await group([work.deaf.signature(), group([work.deaf.signature()])]).enqueue();
    const [first] = await handle.children();
    await running(first as TaskHandle);
    await handle.cancel();
    await handle.retry();
    Work.ends.open();
    await expect(handle.result({ timeout: '10s' })).resolves.toEqual(['heard nothing', ['heard nothing']]);
  });

  it('runs the task again after a run that ends much later', async () => {
    const handle = await work.deaf.enqueue();
    await running(handle);
    await handle.cancel();
    const retried = handle.retry();
    blockEventLoop();
    expect(['running', 'queued']).toContain((await retried).state);
    Work.ends.open();
    await expect(handle.result({ timeout: '10s' })).resolves.toBe('heard nothing');
    expect(Work.runs).toBe(2);
    expect(await handle.status()).toMatchObject({ state: 'succeeded', attempt: 1 });
    // The task has ended: nothing runs it once more.
    await expect((await work.echo.enqueue('next')).result({ timeout: '10s' })).resolves.toBe('next');
    expect(Work.runs).toBe(2);
  }, 30_000);

  // A memory engine ends with the process of its worker.
  if (engine.name !== 'memory') {
    it('runs the task again also when its worker dies right after it has stored the end', async () => {
      const retries = jest.spyOn(TaskRetries.prototype, 'retryIfAsked').mockResolvedValueOnce(undefined);
      const store = holdNextEnd();
      const handle = await work.deaf.enqueue();
      await running(handle);
      await handle.cancel();
      expect(await handle.retry()).toMatchObject({ state: 'running' });
      store();
      await until(() => retries.mock.calls.length === 1, 'the worker has stored the end', 10_000);
      // Queued, until a duty runs it.
      const { state, finishedAt } = await handle.status();
      expect(['queued', 'running']).toContain(state);
      expect(finishedAt).toBeNull();
      Work.ends.open();
      await expect(handle.result({ timeout: '20s' })).resolves.toBe('heard nothing');
    }, 40_000);

    it('leaves the task cancelled whose retry a caller has withdrawn', async () => {
      const store = holdNextEnd();
      const handle = await work.deaf.enqueue();
      await running(handle);
      await handle.cancel();
      await handle.retry();
      await handle.cancel();
      store();
      await expect(handle.result({ timeout: '20s' })).rejects.toThrow(TaskCancelledError);
      // The duty that was to run it again looks a second after the end.
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      expect((await handle.status()).state).toBe('cancelled');
    }, 40_000);
  }

  // The memory engine runs a task again in the step that ends it.
  if (engine.name !== 'memory') {
    /** A task whose cancelled run has ended, and whose worker is at this step of running it again. */
    const untilRetriedTo = async (step: 'takeKeyBack' | 'retry'): Promise<{ handle: TaskHandle; goOn(): void }> => {
      const store = holdNextEnd();
      const handle = await work.deaf.enqueue();
      await running(handle);
      await handle.cancel();
      await handle.retry();
      const [held, goOn] = [new Gate(), new Gate()];
      const holder = (step === 'retry' ? bullmq.Job.prototype : TaskRetries.prototype) as unknown as Steps;
      const original = holder[step];
      jest.spyOn(holder, step).mockImplementationOnce(async function (this: unknown, ...args) {
        held.open();
        await goOn.opened;
        return original.apply(this, args);
      });
      store();
      await held.opened;
      return { handle, goOn: () => goOn.open() };
    };

    it('leaves the task cancelled whose retry a caller withdraws when its worker has stored the end', async () => {
      const { handle, goOn } = await untilRetriedTo('takeKeyBack');
      expect(await handle.cancel()).toMatchObject({ state: 'cancelled' });
      goOn();
      await expect(handle.result({ timeout: '10s' })).rejects.toThrow(TaskCancelledError);
      // Its worker takes no other step before the next task has run.
      await expect((await work.echo.enqueue('next')).result({ timeout: '10s' })).resolves.toBe('next');
      expect(await handle.status()).toMatchObject({ state: 'cancelled' });
      expect(Work.runs).toBe(1);
    }, 40_000);

    it('cancels the task as soon as its worker has put it back into its queue', async () => {
      const { handle, goOn } = await untilRetriedTo('retry');
      const reads = jest.spyOn(JobLookup.prototype, 'find');
      const cancelled = handle.cancel();
      const readsOfTask = () => reads.mock.calls.filter(([id]) => id === handle.id);
      await until(() => readsOfTask().length > 2, 'the cancel waits and reads the task again');
      goOn();
      // A worker may have taken it by then, and ends it.
      expect(['running', 'cancelled']).toContain((await cancelled).state);
      await expect(handle.result({ timeout: '10s' })).rejects.toThrow(TaskCancelledError);
      expect(await handle.status()).toMatchObject({ state: 'cancelled' });
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
    await otherMembersRun();
    await expect(handle.result({ timeout: '10s' })).rejects.toThrow('the first time');
    Work.fails = false;
    const retried = handle.retry();
    blockEventLoop();
    await retried;
    Work.ends.open();
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
