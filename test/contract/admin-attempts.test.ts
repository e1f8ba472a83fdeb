import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task, TaskAdmin, TaskContext, type TaskAttempt, type TaskHandle, type Tasks } from 'nestjs-task-queue';
import { boot, Gate, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';

describeEachEngine('the attempts of a task', (engine) => {
  let gate = new Gate();
  let started = new Gate();

  @Injectable()
  class Work {
    constructor(private readonly task: TaskContext) {}

    @Task({ retries: 30, backoff: { type: 'fixed', delay: 0 } })
    flaky(until: number): number {
      if (this.task.attempt < until) throw new TypeError(`failure ${this.task.attempt}`);
      return this.task.attempt;
    }

    @Task({ retries: 1, backoff: { type: 'fixed', delay: 0 } })
    bad(): void {
      throw Object.assign(new Error('no'), { code: 'E_NO' });
    }

    @Task()
    async held(): Promise<void> {
      started.open();
      await Promise.race([gate.opened, new Promise((resolve) => this.task.signal.addEventListener('abort', resolve))]);
    }

    @Task()
    later(): void {}
  }

  let booted: Booted;
  let work: Tasks<Work>;
  let worker: string | undefined;

  const attemptsOf = async ({ id }: TaskHandle): Promise<readonly TaskAttempt[]> =>
    (await booted.app.get(TaskAdmin).task(id)).attempts;
  const settled = async (handle: TaskHandle): Promise<readonly TaskAttempt[]> => {
    await handle.result().catch(() => undefined);
    return attemptsOf(handle);
  };

  beforeAll(async () => {
    booted = await boot(await engine.place(), [Work]);
    work = booted.queue.of(Work);
    worker = (await booted.app.get(TaskAdmin).workers())[0]?.id;
  });
  afterAll(() => booted.app.close());

  it('is one with times and worker when the task succeeds at once', async () => {
    const handle = await work.flaky.enqueue(1);
    const attempts = await settled(handle);
    const { startedAt, finishedAt } = await handle.status();
    expect(attempts).toEqual([
      {
        number: 1,
        startedAt,
        endedAt: finishedAt,
        outcome: 'succeeded',
        error: null,
        worker,
      },
    ]);
    expect(worker).toBeDefined();
  });

  it('are all that failed and the one that succeeded', async () => {
    const attempts = await settled(await work.flaky.enqueue(3));
    expect(attempts.map(({ number, outcome, error }) => [number, outcome, error?.name, error?.message])).toEqual([
      [1, 'retry', 'TypeError', 'failure 1'],
      [2, 'retry', 'TypeError', 'failure 2'],
      [3, 'succeeded', undefined, undefined],
    ]);
    expect(attempts.every((attempt) => attempt.worker === worker)).toBe(true);
    expect(attempts[1]?.error?.stack).toContain('admin-attempts.test');
    const times = attempts.flatMap(({ startedAt, endedAt }) => [startedAt, endedAt]);
    expect(times).toEqual(times.toSorted((a, b) => Date.parse(a ?? '') - Date.parse(b ?? '')));
  });

  it('end with the failure when no attempt is left, and stay when the task runs again', async () => {
    const handle = await work.bad.enqueue();
    const attempts = await settled(handle);
    expect(attempts).toMatchObject([
      { number: 1, outcome: 'retry', error: { message: 'no', code: 'E_NO' } },
      { number: 2, outcome: 'failed', error: { message: 'no', code: 'E_NO' } },
    ]);
    await handle.retry();
    const after = await settled(handle);
    expect(after.slice(0, 2)).toEqual(attempts);
    expect(after.map(({ number, outcome }) => `${number} ${outcome}`)).toEqual([
      '1 retry',
      '2 failed',
      '1 retry',
      '2 failed',
    ]);
  });

  it('are the last twenty', async () => {
    const attempts = await settled(await work.flaky.enqueue(26));
    expect(attempts.map(({ number }) => number)).toEqual(Array.from({ length: 20 }, (_, place) => place + 7));
    expect(attempts.at(-2)).toMatchObject({ number: 25, error: { message: 'failure 25' } });
    expect(attempts[0]).toMatchObject({ number: 7, error: { message: 'failure 7' } });
  });

  it('have no end while the task runs, and an end of their own when it is cancelled', async () => {
    [gate, started] = [new Gate(), new Gate()];
    const handle = await work.held.enqueue();
    await started.opened;
    expect(await attemptsOf(handle)).toMatchObject([{ number: 1, endedAt: null, outcome: null, error: null, worker }]);
    await handle.cancel('not needed');
    expect(await settled(handle)).toMatchObject([
      { number: 1, outcome: 'cancelled', error: { name: 'TaskCancelledError', message: 'not needed' }, worker },
    ]);
  });

  it('are none of a task that was cancelled before it ran', async () => {
    const handle = await work.later.with({ delay: '1h' }).enqueue();
    expect(await attemptsOf(handle)).toEqual([]);
    await handle.cancel();
    expect(await settled(handle)).toEqual([]);
  });
});
