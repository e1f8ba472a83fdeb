import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { getQueueToken } from '@nestjs/bullmq';
import type { Queue } from 'bullmq';
import {
  ConfigurationError,
  defineTask,
  InjectTasks,
  Task,
  TaskContext,
  TaskProcessor,
  type TaskProducer,
  type Tasks,
} from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { Gate } from '../support/gate.js';

const double = defineTask<(value: number) => Promise<number>>('maths.double', { queue: 'maths' });

@TaskProcessor('letters')
class Letters {
  readonly order: string[] = [];
  readonly echoed: unknown[] = [];
  readonly gate = new Gate();

  constructor(
    private readonly task: TaskContext,
    @InjectTasks(double) private readonly double: TaskProducer<(value: number) => Promise<number>>,
  ) {}

  @Task()
  echo(...args: unknown[]): unknown {
    this.echoed.push(...args);
    return args;
  }

  @Task({ unique: { while: 'running', key: (user: { email: string }) => user.email } })
  welcome(user: { email: string }): string {
    return user.email;
  }

  @Task('letters.headers')
  async headers(depth: number): Promise<unknown> {
    if (depth > 0)
      return (await this.own.headers.with({ headers: { depth: String(depth) } }).enqueue(depth - 1)).result();
    return this.task.headers;
  }

  @Task()
  async doubled(value: number): Promise<number> {
    return (await this.double.enqueue(value)).result({ timeout: '10s' });
  }

  @Task({ queue: 'ordered' })
  async hold(): Promise<void> {
    await this.gate.opened;
  }

  @Task({ queue: 'ordered' })
  note(text: string): void {
    this.order.push(text);
  }

  @Task({ queue: 'ordered', priority: 7 })
  urgent(text: string): void {
    this.order.push(text);
  }

  @InjectTasks(Letters)
  private readonly own!: Tasks<Letters>;
}

@Injectable()
class Maths {
  @Task()
  async half(value: number): Promise<number> {
    return value / 2;
  }

  @Task(double)
  async double(value: number): Promise<number> {
    return value * 2;
  }
}

describeEachEngine('a producer', (engine) => {
  let booted: Booted;
  let letters: Tasks<Letters>;

  beforeAll(async () => {
    booted = await boot(
      { ...(await engine.place()), maxPayload: 10_000, queues: { ordered: { priorities: true, concurrency: 1 } } },
      [Letters, Maths],
    );
    letters = booted.queue.of(Letters);
  });
  afterAll(() => booted.app.close());

  it('a producer sends arguments as JSON', async () => {
    const handle = await letters.echo.enqueue('text', 1.5, null, true, [1, [2]], {
      a: { b: undefined, when: new Date(0) },
    });
    expect(handle.id).toMatch(/^letters\.[A-Za-z0-9_-]{22}$/);
    await expect(handle.result({ timeout: '10s' })).resolves.toEqual([
      'text',
      1.5,
      null,
      true,
      [1, [2]],
      { a: { when: '1970-01-01T00:00:00.000Z' } },
    ]);
  });

  it.each([
    ['a Map', [new Map()], 'args[0]'],
    ['a BigInt', [{ amount: 1n }], 'args[0].amount'],
    ['a function', [[() => 1]], 'args[0][0]'],
    ['an instance with a hidden state', [{ user: new (class User extends Map {})() }], 'args[0].user'],
    ['NaN', [1, { deep: { value: Number.NaN } }], 'args[1].deep.value'],
    ['undefined', [undefined, 1], 'args[0]'],
    ['NUL', ['a\u0000b'], 'args[0]'],
    ['half a character', ['\ud800'], 'args[0]'],
    ['a key that is no identifier', [{ 'a-b': Symbol('x') }], 'args[0]["a-b"]'],
  ])('a producer refuses %s in an argument, and the error names its path', async (_what, args, path) => {
    await expect(letters.echo.enqueue(...args)).rejects.toMatchObject({
      code: 'NOT_SERIALIZABLE',
      path,
      message: expect.stringContaining(path) as unknown,
    });
  });

  it('a producer refuses an argument with a cycle or with 100,000 levels', async () => {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = { cycle };
    await expect(letters.echo.enqueue(cycle)).rejects.toMatchObject({
      code: 'NOT_SERIALIZABLE',
      path: 'args[0].self.cycle',
    });
    let deep: unknown = 1;
    for (let level = 0; level < 100_000; level++) deep = [deep];
    await expect(letters.echo.enqueue(deep)).rejects.toMatchObject({ code: 'NOT_SERIALIZABLE' });
  });

  it('a producer refuses arguments and headers that are too large, and the error has both sizes', async () => {
    await expect(letters.echo.enqueue('ä'.repeat(5_000))).rejects.toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
      size: 10_004,
      limit: 10_000,
    });
    await expect(letters.echo.with({ headers: { large: 'x'.repeat(20_000) } }).enqueue()).rejects.toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
    });
  });

  it('enqueueMany() stores all calls in order, and none of them when one is invalid', async () => {
    const handles = await letters.echo.enqueueMany(Array.from({ length: 1_500 }, (_, index) => [index]));
    expect(new Set(handles.map(({ id }) => id)).size).toBe(1_500);
    const results = await Promise.all(
      [0, 1_000, 1_499].map(async (index) => handles[index]?.result({ timeout: '30s' })),
    );
    expect(results).toEqual([[0], [1_000], [1_499]]);
    await expect(letters.echo.enqueueMany([['refused'], [1n]])).rejects.toMatchObject({ path: 'args[1][0]' });
    await (await letters.echo.enqueue('after the refused ones')).result({ timeout: '10s' });
    expect(booted.app.get(Letters).echoed).toContain('after the refused ones');
    expect(booted.app.get(Letters).echoed).not.toContain('refused');
    await expect(letters.echo.enqueueMany([])).resolves.toEqual([]);
  });

  it('a task does not start before its delay is over', async () => {
    const start = Date.now();
    const handle = await letters.echo.with({ delay: '300ms' }).enqueue('later');
    expect(handle.initialState).toBe('scheduled');
    await expect(handle.status()).resolves.toMatchObject({ state: 'scheduled', attempt: 0, startedAt: null });
    await expect(handle.result({ timeout: '10s' })).resolves.toEqual(['later']);
    expect(Date.now() - start).toBeGreaterThanOrEqual(295);
    const soon = await letters.echo.with({ delay: new Date(Date.now() - 1_000) }).enqueue('now');
    expect(soon.initialState).toBe('queued');
  });

  it('a task that has expired before its start never runs', async () => {
    const late = letters.echo.with({ delay: '200ms', expires: '50ms' });
    const handle = await late.enqueue('too late');
    await expect(handle.result({ timeout: '10s' })).rejects.toMatchObject({ code: 'TASK_EXPIRED' });
    await expect(handle.status()).resolves.toMatchObject({ state: 'expired', result: null });
    await expect(
      (await letters.echo.with({ expires: '1h' }).enqueue('in time')).result({ timeout: '10s' }),
    ).resolves.toEqual(['in time']);
  });

  it('a worker starts tasks of higher priority first', async () => {
    const native = booted.app.get(Letters);
    const { hold, note, urgent } = letters;
    const holding = await hold.enqueue();
    for await (const { state } of holding.updates()) if (state === 'running') break;
    const handles = [
      await note.enqueue('low'),
      // Also 0 takes precedence over the declaration.
      await urgent.with({ priority: 0 }).enqueue('as low'),
      await urgent.enqueue('declared'),
      await note.with({ priority: 9 }).enqueue('high'),
      await note.with({ priority: 5 }).enqueue('middle'),
    ];
    native.gate.open();
    await Promise.all(handles.map((handle) => handle.result({ timeout: '10s' })));
    expect(native.order).toEqual(['high', 'declared', 'middle', 'low', 'as low']);
  });

  it('a producer refuses a priority on a queue without priorities, and invalid options', async () => {
    await expect(letters.echo.with({ priority: 1 }).enqueue()).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringContaining('priorities: true') as unknown,
    });
    await expect(letters.note.with({ priority: 10 }).enqueue('x')).rejects.toBeInstanceOf(ConfigurationError);
    await expect(letters.echo.with({ delay: '5 minutes' as never }).enqueue()).rejects.toBeInstanceOf(
      ConfigurationError,
    );
    await expect(letters.echo.with({ retries: -1 }).enqueue()).rejects.toBeInstanceOf(ConfigurationError);
    await expect(letters.echo.with({ queue: 'no:colon' }).enqueue()).rejects.toBeInstanceOf(ConfigurationError);
    await expect(letters.echo.with({ headers: { a: 1 as never } }).enqueue()).rejects.toMatchObject({
      path: 'headers.a',
    });
  });

  it('one idempotency key in two scopes makes two tasks, and in one scope one task', async () => {
    const charge = (idempotencyScope?: string) =>
      letters.echo
        .with({ idempotencyKey: 'order-1', ...(idempotencyScope !== undefined && { idempotencyScope }) })
        .enqueue(1);
    const [ann, bob, unscoped] = [await charge('ann'), await charge('bob'), await charge()];
    expect(new Set([ann.id, bob.id, unscoped.id]).size).toBe(3);
    expect([ann, bob, unscoped].map(({ deduplicated }) => deduplicated)).toEqual([false, false, false]);
    expect(await charge('ann')).toMatchObject({ id: ann.id, deduplicated: true });
    expect(await charge('bob')).toMatchObject({ id: bob.id, deduplicated: true });
    const other = letters.echo.with({ idempotencyKey: 'order-1', idempotencyScope: 'ann' }).enqueue(2);
    await expect(other).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT', id: ann.id });
  });

  it('a producer refuses a key that is no text of 1 to 255 characters, as it refuses arguments', async () => {
    const refused = { code: 'INVALID_ARGUMENTS' };
    for (const key of ['', 'x'.repeat(256), 'a\0b', 7, null, ['a']] as string[]) {
      await expect(letters.echo.with({ idempotencyKey: key }).enqueue()).rejects.toMatchObject({
        ...refused,
        issues: [{ path: 'idempotencyKey' }],
      });
      await expect(letters.echo.with({ idempotencyKey: 'k', idempotencyScope: key }).enqueue()).rejects.toMatchObject({
        ...refused,
        issues: [{ path: 'idempotencyScope' }],
      });
      // The check of the arguments refuses a NUL character first.
      const code = key === 'a\0b' ? 'NOT_SERIALIZABLE' : 'INVALID_ARGUMENTS';
      await expect(letters.welcome.enqueue({ email: key })).rejects.toMatchObject({ code });
    }
    await expect(letters.welcome.enqueue(null as never)).rejects.toMatchObject(refused);
    for (const key of ['x'.repeat(255), '\ud800', 'k\n']) {
      expect((await letters.echo.with({ idempotencyKey: key }).enqueue()).deduplicated).toBe(false);
      expect((await letters.echo.with({ idempotencyKey: key }).enqueue()).deduplicated).toBe(true);
    }
  });

  it('a producer refuses headers that cannot be stored', async () => {
    const pairs: [name: string, value: string][] = [
      ['a', '\0'],
      ['a', '\ud800'],
      ['a\0', 'b'],
      ['\ud800', 'b'],
    ];
    for (const [name, value] of pairs) {
      await expect(letters.echo.with({ headers: { [name]: value } }).enqueue()).rejects.toMatchObject({
        code: 'NOT_SERIALIZABLE',
      });
    }
  });

  it('a handle of an id that is no text finds no task', async () => {
    const { id } = await letters.echo.enqueue();
    for (const wrong of [undefined, null, 7, [id], { id }, '', '\0', '\ud800', `${id}\n`]) {
      const handle = booted.queue.handle(wrong as string);
      await expect(handle.status()).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
      await expect(handle.cancel()).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
    }
  });

  it('with() makes a new producer and does not change the old one', async () => {
    const delayed = letters.echo.with({ delay: '1h', headers: { a: '1' } });
    expect((await delayed.with({ delay: 0, headers: { b: '2' } }).enqueue()).initialState).toBe('queued');
    expect((await delayed.enqueue()).initialState).toBe('scheduled');
    expect((await letters.echo.enqueue()).initialState).toBe('queued');
  });

  it('a task passes its headers on to the tasks that it enqueues', async () => {
    const handle = await letters.headers.with({ headers: { tenant: 'acme' } }).enqueue(2);
    await expect(handle.result({ timeout: '10s' })).resolves.toEqual({ tenant: 'acme', depth: '1' });
  });

  it('a task of a contract can be enqueued by contract, by name and by an injected producer', async () => {
    await expect((await booted.queue.of(double).enqueue(21)).result({ timeout: '10s' })).resolves.toBe(42);
    await expect((await booted.queue.of('maths.double').enqueue(4)).result({ timeout: '10s' })).resolves.toBe(8);
    await expect((await letters.doubled.enqueue(5)).result({ timeout: '10s' })).resolves.toBe(10);
  });

  it('of() names a method that is no task in its error', () => {
    class Plain {
      helper(): void {}
    }
    expect(() => booted.queue.of(Plain).helper).toThrow('Plain.helper is no task');
  });

  // Other BullMQ clients do not reach the memory of this process.
  if (engine.name !== 'memory') {
    it('a worker runs a job of another BullMQ client, and fails a job without args', async () => {
      const native = booted.app.get<Queue>(getQueueToken('default'));
      const id = 'default.AAAAAAAAAAAAAAAAAAAAAA';
      await native.add('Maths.half', { args: [8] }, { jobId: id });
      await expect(booted.queue.handle(id).result({ timeout: '10s' })).resolves.toBe(4);
      const wrong = 'default.BBBBBBBBBBBBBBBBBBBBBB';
      await native.add('Maths.half', { value: 8 }, { jobId: wrong });
      await expect(booted.queue.handle(wrong).result({ timeout: '10s' })).rejects.toMatchObject({
        cause: { code: 'INVALID_ARGUMENTS', message: expect.stringContaining('"args"') as unknown },
      });
    });
  }

  it('a worker gives back a task with an unknown name, and does not lose it', async () => {
    const handle = await booted.queue.of('nobody.knows').enqueue();
    for await (const { state, attempt } of handle.updates()) {
      if (state !== 'retrying') continue;
      expect(attempt).toBe(0);
      break;
    }
    await expect(handle.cancel('a typing mistake')).resolves.toMatchObject({ state: 'cancelled' });
  });
});
