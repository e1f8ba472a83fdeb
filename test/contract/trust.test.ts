import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { BadRequestException, Injectable } from '@nestjs/common';
import { Task, TaskContext, type TaskHandle, type TaskState, type Tasks } from 'nestjs-task-queue';
import { z } from 'zod';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine, type Place } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { until } from '../support/until.js';

class HopelessError extends Error {
  override readonly name = 'HopelessError';
}

const QUICK = { type: 'fixed', delay: 60, jitter: 0 } as const;

/** The window of the rate limit, in milliseconds. */
const WINDOW = 600;
/** Milliseconds that a result is kept: long enough to be read on a busy machine. */
const SHORT_LIFE = 3_000;

@Injectable()
class Work {
  readonly runs = new Map<string, number[]>();
  gates = new Map<string, Gate>();

  constructor(private readonly task: TaskContext) {}

  /** Fails `failures` times, then succeeds. */
  @Task({ retries: 3, backoff: QUICK })
  async flaky(failures: number): Promise<string> {
    if (this.recordRun() <= failures)
      throw Object.assign(new Error(`failure ${this.task.attempt}`), { code: 'E_FLAKY' });
    return `attempt ${this.task.attempt} of ${this.task.maxAttempts}`;
  }

  @Task({ retries: 3, backoff: QUICK, giveUpOn: HopelessError })
  async hopeless(): Promise<void> {
    this.recordRun();
    throw new HopelessError('no use');
  }

  @Task({ retries: 3, backoff: QUICK, retryOn: (error: Error) => error.message.includes('again') })
  async picky(message: string): Promise<void> {
    this.recordRun();
    throw new Error(message);
  }

  @Task({ retries: 1, backoff: QUICK })
  async later(times: number): Promise<number> {
    const runs = this.recordRun();
    if (runs <= times) this.task.retry({ in: 20 });
    return this.task.attempt;
  }

  @Task({ retries: 5, backoff: QUICK })
  async final(): Promise<void> {
    this.recordRun();
    this.task.fail('The card was declined.');
  }

  @Task({ retries: 1, backoff: QUICK })
  async badRequest(): Promise<void> {
    throw new BadRequestException('no such month');
  }

  @Task({ timeout: 100, retries: 1, backoff: QUICK })
  async endless(observesSignal: boolean): Promise<string> {
    this.recordRun();
    const { signal, deadline } = this.task;
    await new Promise((resolve, reject) => {
      if (observesSignal) signal.addEventListener('abort', () => reject(signal.reason as Error));
      else setTimeout(resolve, 1_500);
    });
    return `too late for ${deadline?.toISOString()}`;
  }

  /** Runs until its gate opens or its signal is aborted. */
  @Task({ retries: 2, backoff: { type: 'fixed', delay: '1h' } })
  async held(key: string, fails = false): Promise<string> {
    this.recordRun(key);
    if (fails) throw new Error('again in an hour');
    const { signal } = this.task;
    await Promise.race([
      this.gate(key).opened,
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    ]);
    return key;
  }

  @Task({ unique: { while: 'pending' } })
  async onceWhilePending(key: string): Promise<string> {
    return this.held(key);
  }

  @Task({ unique: { while: 'running', key: (options: { id: string }) => options.id } })
  async onceWhileRunning(options: { id: string; note?: string }): Promise<string> {
    return this.held(options.id);
  }

  @Task({ unique: { while: 'retained' } })
  async onceWhileRetained(options: { a: number; b: number }): Promise<number> {
    return options.a + options.b;
  }

  @Task()
  async charge(order: { id: string; cents: number }): Promise<number> {
    this.recordRun(order.id);
    return order.cents;
  }

  @Task({ schema: z.tuple([z.string().email(), z.coerce.number().int().positive()]), retries: 3, backoff: QUICK })
  async checked(email: string, count: number): Promise<string> {
    return `${email} ${typeof count} ${count}`;
  }

  @Task({ resultTtl: SHORT_LIFE })
  async shortLived(): Promise<number> {
    return 1;
  }

  @Task({ ignoreResult: true })
  async ignored(): Promise<unknown> {
    return new Map(); // JSON cannot represent it, so storing it would make the task fail.
  }

  @Task({ queue: 'limited' })
  async limited(): Promise<number> {
    return Date.now();
  }

  gate(key: string): Gate {
    const gate = this.gates.get(key) ?? new Gate();
    this.gates.set(key, gate);
    return gate;
  }

  private recordRun(key = this.task.id): number {
    const runs = this.runs.get(key) ?? [];
    runs.push(Date.now());
    this.runs.set(key, runs);
    return runs.length;
  }
}

/** The states of a task until it is final, without repetitions. */
async function statesOf(handle: TaskHandle): Promise<TaskState[]> {
  const states: TaskState[] = [];
  for await (const { state } of handle.updates()) if (states.at(-1) !== state) states.push(state);
  return states;
}

async function reaches(handle: TaskHandle, wanted: TaskState): Promise<void> {
  for await (const { state } of handle.updates()) if (state === wanted) return;
  throw new Error(`The task ended and was never ${wanted}.`);
}

describeEachEngine('retries, cancellation and uniqueness', (engine) => {
  let place: Place;
  let booted: Booted;
  let work: Tasks<Work>;
  let native: Work;

  beforeAll(async () => {
    place = await engine.place();
    booted = await boot({ ...place, queues: { limited: { rateLimit: { max: 5, per: WINDOW } } } }, [Work]);
    work = booted.queue.of(Work);
    native = booted.app.get(Work);
  });
  afterAll(() => booted.app.close());

  it('a task is retried until it succeeds', async () => {
    const handle = await work.flaky.enqueue(2);
    const states = await statesOf(handle);
    await expect(handle.result()).resolves.toBe('attempt 3 of 4');
    await expect(handle.status()).resolves.toMatchObject({
      state: 'succeeded',
      attempt: 3,
      maxAttempts: 4,
      error: null,
    });
    expect(states.filter((state) => state === 'retrying').length).toBeGreaterThanOrEqual(1);
    expect(states.at(-1)).toBe('succeeded');
  });

  it('a task fails with its last error once no attempt is left', async () => {
    const handle = await work.flaky.enqueue(9);
    await expect(handle.result({ timeout: '10s' })).rejects.toMatchObject({
      cause: { message: 'failure 4', code: 'E_FLAKY' },
    });
    await expect(handle.status()).resolves.toMatchObject({ state: 'failed', attempt: 4, maxAttempts: 4 });
  });

  it('a task that waits for its next attempt shows the last error and the attempt', async () => {
    const handle = await work.held.enqueue('waits', true);
    await reaches(handle, 'retrying');
    await expect(handle.status()).resolves.toMatchObject({
      state: 'retrying',
      attempt: 1,
      maxAttempts: 3,
      error: { message: 'again in an hour' },
    });
    await expect(handle.cancel('enough')).resolves.toMatchObject({
      state: 'cancelled',
      error: { message: 'enough', code: 'TASK_CANCELLED' },
    });
    await expect(handle.result({ timeout: '10s' })).rejects.toMatchObject({
      code: 'TASK_CANCELLED',
      message: 'enough',
    });
  });

  it.each([
    ['giveUpOn', () => work.hopeless.enqueue(), 1],
    ['retryOn, not matching', () => work.picky.enqueue('never'), 1],
    ['retryOn, matching', () => work.picky.enqueue('once again'), 4],
    ['TaskContext.fail()', () => work.final.enqueue(), 1],
  ])('a task makes the right number of attempts with %s', async (_name, enqueue, attempts) => {
    const handle = await enqueue();
    await expect(handle.result({ timeout: '10s' })).rejects.toMatchObject({ code: 'TASK_FAILED' });
    await expect(handle.status()).resolves.toMatchObject({ attempt: attempts });
    expect(native.runs.get(handle.id)).toHaveLength(attempts);
  });

  it('TaskContext.retry({ in }) runs the task again and uses up no attempt', async () => {
    const handle = await work.later.enqueue(4);
    await expect(handle.result({ timeout: '10s' })).resolves.toBe(1);
    expect(native.runs.get(handle.id)).toHaveLength(5);
  });

  it.each([true, false])(
    'an attempt ends when its timeout is over (method observes its signal: %s)',
    async (observesSignal) => {
      const handle = await work.endless.enqueue(observesSignal);
      const start = Date.now();
      await expect(handle.result({ timeout: '10s' })).rejects.toMatchObject({
        cause: { name: 'TaskTimeoutError', code: 'TASK_TIMEOUT' },
      });
      expect(Date.now() - start).toBeLessThan(1_400);
      await expect(handle.status()).resolves.toMatchObject({ state: 'failed', attempt: 2 });
      expect(native.runs.get(handle.id)).toHaveLength(2);
    },
  );

  it('a task that is cancelled before its start never runs', async () => {
    const handle = await work.charge.with({ delay: '1h' }).enqueue({ id: 'never', cents: 1 });
    await expect(handle.cancel()).resolves.toMatchObject({ state: 'cancelled' });
    await expect(handle.result({ timeout: '10s' })).rejects.toMatchObject({ code: 'TASK_CANCELLED' });
    expect(native.runs.has('never')).toBe(false);
  });

  it('a running task is cancelled within a second', async () => {
    const handle = await work.held.enqueue('cancelled');
    await reaches(handle, 'running');
    const start = Date.now();
    await handle.cancel('not needed');
    await expect(handle.result({ timeout: '10s' })).rejects.toMatchObject({
      code: 'TASK_CANCELLED',
      message: 'not needed',
    });
    expect(Date.now() - start).toBeLessThan(1_000);
    await expect(handle.status()).resolves.toMatchObject({ state: 'cancelled', attempt: 1 });
  });

  it.each<[state: TaskState, delay: number | undefined]>([
    ['scheduled', 60_000],
    ['running', undefined],
  ])('a %s task is cancelled, also with a reason that no engine stores as it is', async (state, delay) => {
    const handle = await work.held.with({ delay }).enqueue(`odd reason ${state}`);
    await reaches(handle, state);
    await handle.cancel('not \0needed\ud800');
    await expect(handle.result({ timeout: '10s' })).rejects.toMatchObject({ message: 'not needed\ufffd' });
  });

  it('cancel() does not change a final task', async () => {
    const handle = await work.charge.enqueue({ id: 'done', cents: 5 });
    await handle.result({ timeout: '10s' });
    await expect(handle.cancel()).resolves.toMatchObject({ state: 'succeeded', result: 5 });
  });

  it('retry() runs a failed and a cancelled task again under the same id', async () => {
    const failed = await work.flaky.enqueue(4);
    await expect(failed.result({ timeout: '10s' })).rejects.toMatchObject({ code: 'TASK_FAILED' });
    await expect(failed.retry()).resolves.toMatchObject({ id: failed.id });
    await expect(failed.result({ timeout: '10s' })).resolves.toBe('attempt 1 of 4');

    const cancelled = await work.charge.with({ delay: '1h' }).enqueue({ id: 'revived', cents: 7 });
    await cancelled.cancel();
    await expect(cancelled.result({ timeout: '10s' })).rejects.toMatchObject({ code: 'TASK_CANCELLED' });
    await cancelled.retry();
    await expect(cancelled.result({ timeout: '10s' })).resolves.toBe(7);
    await expect(cancelled.retry()).resolves.toMatchObject({ state: 'succeeded' });
  });

  it('a task that was cancelled while it ran can be retried and runs to its end', async () => {
    const handle = await work.held.enqueue('second chance');
    await reaches(handle, 'running');
    await handle.cancel();
    await expect(handle.result({ timeout: '10s' })).rejects.toMatchObject({ code: 'TASK_CANCELLED' });
    await handle.retry();
    await reaches(handle, 'running');
    // Longer than a worker takes to poll a cancel request whose message was lost.
    await new Promise((resolve) => setTimeout(resolve, 2_200));
    native.gate('second chance').open();
    await expect(handle.result({ timeout: '10s' })).resolves.toBe('second chance');
  });

  it('unique while pending: an equal call gets the first task until that starts', async () => {
    const first = await work.onceWhilePending.with({ delay: 1_000 }).enqueue('pending');
    const second = await work.onceWhilePending.enqueue('pending');
    expect(second).toMatchObject({ id: first.id, deduplicated: true });
    await reaches(first, 'running');
    const third = await work.onceWhilePending.enqueue('pending');
    expect(third.deduplicated).toBe(false);
    native.gate('pending').open();
    await Promise.all([first.result({ timeout: '10s' }), third.result({ timeout: '10s' })]);
  });

  it('unique while running: a call with an equal key gets the first task until that ends', async () => {
    const first = await work.onceWhileRunning.enqueue({ id: 'running' });
    await reaches(first, 'running');
    expect(await work.onceWhileRunning.enqueue({ id: 'running', note: 'other' })).toMatchObject({
      id: first.id,
      deduplicated: true,
    });
    expect((await work.onceWhileRunning.enqueue({ id: 'other' })).deduplicated).toBe(false);
    native.gate('running').open();
    native.gate('other').open();
    await first.result({ timeout: '10s' });
    expect((await work.onceWhileRunning.enqueue({ id: 'running' })).deduplicated).toBe(false);
  });

  it('unique while running: an older task is run again only when no equal one has not ended', async () => {
    const older = await work.onceWhileRunning.enqueue({ id: 'again' });
    await older.cancel();
    await expect(older.result({ timeout: '10s' })).rejects.toMatchObject({ code: 'TASK_CANCELLED' });
    const newer = await work.onceWhileRunning.enqueue({ id: 'again' });
    expect(newer.deduplicated).toBe(false);
    await reaches(newer, 'running');
    await expect(older.retry()).rejects.toMatchObject({ code: 'RETRY_REFUSED', other: newer.id });
    await newer.cancel();
    await expect(newer.result({ timeout: '10s' })).rejects.toMatchObject({ code: 'TASK_CANCELLED' });
    await reaches(newer, 'cancelled');
    await older.retry();
    await reaches(older, 'running');
    expect(await work.onceWhileRunning.enqueue({ id: 'again' })).toMatchObject({ id: older.id, deduplicated: true });
    native.gate('again').open();
    await older.result({ timeout: '10s' });
  });

  it('unique while retained: an equal call gets the first task until that is removed', async () => {
    const first = await work.onceWhileRetained.enqueue({ a: 1, b: 2 });
    await first.result({ timeout: '10s' });
    const second = await work.onceWhileRetained.enqueue({ b: 2, a: 1 });
    expect(second).toMatchObject({ id: first.id, deduplicated: true, initialState: 'succeeded' });
    await expect(second.result({ timeout: '10s' })).resolves.toBe(3);
    await first.forget();
    expect((await work.onceWhileRetained.enqueue({ a: 1, b: 2 })).deduplicated).toBe(false);
  });

  it('calls with one idempotency key make one task, and other arguments are a conflict', async () => {
    const order = { id: 'order-1', cents: 100 };
    const charge = work.charge.with({ idempotencyKey: 'order-1' });
    const handles = await Promise.all(Array.from({ length: 100 }, () => charge.enqueue(order)));
    expect(new Set(handles.map(({ id }) => id)).size).toBe(1);
    expect(handles.filter(({ deduplicated }) => !deduplicated)).toHaveLength(1);
    await expect(Promise.all(handles.map((handle) => handle.result({ timeout: '10s' })))).resolves.toEqual(
      Array(100).fill(100),
    );
    expect(native.runs.get('order-1')).toHaveLength(1);
    await expect(charge.enqueue({ ...order, cents: 1 })).rejects.toMatchObject({
      code: 'IDEMPOTENCY_CONFLICT',
      id: handles[0]?.id,
    });
    expect((await work.charge.with({ idempotencyKey: 'order-2' }).enqueue(order)).deduplicated).toBe(false);
    await expect(work.onceWhileRetained.with({ idempotencyKey: 'x' }).enqueue({ a: 1, b: 1 })).rejects.toMatchObject({
      code: 'CONFIGURATION',
    });
  });

  it('the schema checks arguments in the producer and in the worker', async () => {
    await expect(work.checked.enqueue('nobody', -1)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENTS',
      issues: [{ path: 'args[0]' }, { path: 'args[1]' }],
    });
    const coerced = await booted.queue.of('Work.checked').enqueue('a@b.example', '3');
    await expect(coerced.result({ timeout: '10s' })).resolves.toBe('a@b.example number 3');
    if (engine.name === 'embedded') return;
    // A producer without the class does not know the schema. The worker does.
    const stranger = await boot({ ...place, role: 'producer' });
    try {
      const handle = await stranger.queue.of('Work.checked').enqueue('nobody', 1);
      await expect(handle.result({ timeout: '10s' })).rejects.toMatchObject({ cause: { code: 'INVALID_ARGUMENTS' } });
      await expect(handle.status()).resolves.toMatchObject({ attempt: 1 });
    } finally {
      await stranger.app.close();
    }
  });

  it('a task is not found once its resultTtl is over', async () => {
    const handle = await work.shortLived.enqueue();
    await handle.result({ timeout: '10s' });
    const { expiresAt, finishedAt } = await handle.status();
    expect(Date.parse(expiresAt as string) - Date.parse(finishedAt as string)).toBe(SHORT_LIFE);
    const isGone = () =>
      handle.status().then(
        () => false,
        ({ code }: { code: string }) => code === 'TASK_NOT_FOUND',
      );
    await until(isGone, 'the task is not found any more');
    // The clock of the server may differ by a little from that of the test.
    expect(Date.now()).toBeGreaterThan(Date.parse(expiresAt as string) - 100);
  });

  it('a task with ignoreResult stores no result', async () => {
    await expect((await work.ignored.enqueue()).result({ timeout: '10s' })).resolves.toBeNull();
  });

  it('a worker starts no more tasks in a window than the rate limit of the queue', async () => {
    const handles = await work.limited.enqueueMany(Array.from({ length: 18 }, () => []));
    await Promise.all(handles.map((handle) => handle.result({ timeout: '20s' })));
    // `startedAt` is the time at which a worker took the task. On a busy machine the method begins later.
    const statuses = await Promise.all(handles.map((handle) => handle.status()));
    const starts = statuses.map(({ startedAt }) => Date.parse(startedAt as string)).toSorted((a, b) => a - b);
    // 18 tasks at 5 per window need three windows after the first.
    expect((starts.at(-1) as number) - (starts[0] as number)).toBeGreaterThanOrEqual(3 * WINDOW - 60);
  });
});
