import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task, TaskAdmin, TaskContext, type TaskBatch, type TaskHandle, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine, type Place } from '../support/engines.js';
import { until } from '../support/until.js';

/** Milliseconds after which a task expires that has not started: enough for a worker to take it. */
const EXPIRES = 1_500;
/** Milliseconds until the next run, after the expiry time. */
const LATER = 1_700;

@Injectable()
class Work {
  static runs = 0;

  constructor(private readonly task: TaskContext) {}

  @Task({ expires: EXPIRES, retries: 1, backoff: { type: 'fixed', delay: LATER, jitter: 0 } })
  async retried(): Promise<string> {
    if (++Work.runs === 1) throw new Error('once');
    return 'done';
  }

  @Task({ expires: EXPIRES })
  async snoozed(): Promise<string> {
    if (++Work.runs === 1) this.task.retry({ in: LATER });
    return 'done';
  }

  @Task({ expires: EXPIRES })
  async failed(): Promise<string> {
    if (++Work.runs === 1) throw new Error('once');
    return 'done';
  }

  @Task({ queue: 'rows', expires: EXPIRES, batch: { size: 10, wait: '1ms' } })
  async inBatch(calls: TaskBatch<[string]>): Promise<string[]> {
    if (++Work.runs === 1) for (const call of calls) call.retry({ in: LATER });
    return calls.map(() => 'done');
  }

  /** Runs until its process closes, and then to its end in another. */
  @Task({ expires: EXPIRES })
  async deployed(): Promise<string> {
    const { signal } = this.task;
    if (++Work.runs === 1) {
      await new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
      );
    }
    return 'done';
  }
}

/** `expires` is about the start of a task: it concerns no later run. */
describeEachEngine('a task that has started in time never expires', (engine) => {
  let place: Place;
  let booted: Booted;
  let work: Tasks<Work>;

  const start = async () => {
    booted = await boot({ ...place, shutdown: { grace: '100ms' } }, [Work]);
    work = booted.queue.of(Work);
  };
  beforeAll(async () => {
    place = await engine.place();
    await start();
  });
  afterAll(() => booted.app.close());
  beforeEach(() => void (Work.runs = 0));

  /** Resolves once the task would have expired. */
  async function expiryPassed(handle: TaskHandle): Promise<void> {
    const { enqueuedAt } = await handle.status();
    await until(() => Date.now() > Date.parse(enqueuedAt) + EXPIRES + 100, 'the expiry time has passed');
  }

  it.each<[string, () => Promise<TaskHandle<string>>]>([
    ['when it is retried', () => work.retried.enqueue()],
    ['when it puts itself back', () => work.snoozed.enqueue()],
    ['when its batch puts it back', () => work.inBatch.enqueue('row')],
  ])('%s', async (_, enqueue) => {
    const handle = await enqueue();
    await expect(handle.result({ timeout: '20s' })).resolves.toBe('done');
    expect(Work.runs).toBe(2);
  });

  it('when a caller retries it', async () => {
    const handle = await work.failed.enqueue();
    await expect(handle.result({ timeout: '15s' })).rejects.toThrow('once');
    await expiryPassed(handle);
    await handle.retry();
    await expect(handle.result({ timeout: '15s' })).resolves.toBe('done');
  });

  it('nor does one that expired and that a caller retries, before a worker has cleared it away and after', async () => {
    const admin = booted.app.get(TaskAdmin);
    Work.runs = 1;
    await admin.pause('default');
    const waiting = await work.failed.with({ expires: 50 }).enqueue();
    await until(async () => (await waiting.status()).state === 'expired', 'the task has expired');
    await expect(waiting.retry()).resolves.toMatchObject({ id: waiting.id });
    expect((await waiting.status()).state).toBe('queued');
    const ended = await work.failed.with({ expires: 1 }).enqueue();
    await until(async () => (await ended.status()).state === 'expired', 'the task has expired');
    await admin.resume('default');
    await expect(waiting.result({ timeout: '15s' })).resolves.toBe('done');
    await expect(ended.result({ timeout: '15s' })).rejects.toMatchObject({ code: 'TASK_EXPIRED' });
    await (await work.failed.with({ expires: '1m' }).enqueue()).result({ timeout: '15s' });
    await ended.retry();
    await expect(ended.result({ timeout: '15s' })).resolves.toBe('done');
  });

  it('when it is given back at a deploy', async () => {
    const { id } = await work.deployed.enqueue();
    await until(() => Work.runs === 1, 'the task runs');
    await expiryPassed(booted.queue.handle(id));
    await booted.app.close();
    await start();
    await expect(booted.queue.handle(id).result({ timeout: '20s' })).resolves.toBe('done');
    expect(Work.runs).toBe(2);
  });
});
