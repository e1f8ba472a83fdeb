import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task, TaskAdmin, type TaskProducer, type Tasks } from 'nestjs-task-queue';
import { z } from 'zod';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';

const MANY = 2_500;
const BAD = 1_700;

@Injectable()
class Work {
  static ran = 0;

  @Task()
  async echo(value: unknown): Promise<unknown> {
    Work.ran++;
    return value;
  }

  @Task({ schema: z.tuple([z.number().max(MANY)]) })
  async checked(value: number): Promise<number> {
    return value;
  }

  @Task({ unique: { while: 'running', key: (value: number) => String(value) } })
  async single(value: number): Promise<number> {
    Work.ran++;
    return value;
  }

  @Task()
  async charge(cents: number): Promise<number> {
    Work.ran++;
    return cents;
  }
}

const hostile = (): never => {
  throw new Error('cannot be read');
};

/** An argument that makes a call invalid, and what the error of a single call says; `args` stands for the path of the call. */
const BAD_ARGUMENTS: Readonly<Record<string, readonly [make: () => unknown, says: string]>> = {
  NUL: [() => ({ text: 'a\0' }), 'args[0].text contains a NUL'],
  'half a character': [() => ['\ud800'], 'args[0][0] contains half a surrogate pair'],
  'a BigInt': [() => 1n, 'args[0] is a BigInt'],
  NaN: [() => Number.NaN, 'args[0] is NaN'],
  'a getter that throws': [() => Object.defineProperty({}, 'a', { get: hostile, enumerable: true }), 'cannot be read'],
  'a text of 2 MB': [() => 'x'.repeat(2_000_000), 'bytes of JSON'],
};

describeEachEngine('many calls that are stored together', (engine) => {
  let booted: Booted;
  let work: Tasks<Work>;
  let echo: TaskProducer<(value: unknown) => Promise<unknown>>;

  beforeAll(async () => {
    booted = await boot({ ...(await engine.place()), queues: { default: { concurrency: 100 } } }, [Work]);
    work = booted.queue.of(Work);
    echo = booted.queue.of('Work.echo');
  }, 60_000);
  beforeEach(() => void (Work.ran = 0));
  afterAll(() => booted.app.close());

  const numbers = (count: number) => Array.from({ length: count }, (_, n): [number] => [n]);
  const stored = async () => {
    const [queue] = await booted.app.get(TaskAdmin).queues();
    const { queued, scheduled, running, succeeded, failed } = queue!.counts;
    return queued + scheduled + running + succeeded + failed;
  };

  it.each(Object.entries(BAD_ARGUMENTS))('are refused as a whole for %s, with its place', async (_, [make, says]) => {
    await echo.enqueue(0).then((handle) => handle.result({ timeout: '20s' }));
    const before = await stored();
    await expect(echo.enqueue(make())).rejects.toThrow(says);
    const calls = numbers(MANY).map(([n]): [unknown] => [n === BAD ? make() : n]);
    const refused = echo.enqueueMany(calls);
    await expect(refused).rejects.toThrow(says.replace('args', `args[${BAD}]`));
    // A getter that throws has an error of its own.
    if (!says.startsWith('cannot')) await expect(refused).rejects.toThrow(`args[${BAD}]`);
    expect(await stored()).toBe(before);
    expect(Work.ran).toBe(1);
  });

  it('are refused as a whole for one that does not fit the schema, with its place', async () => {
    const before = await stored();
    const calls = numbers(MANY).map(([n]): [number] => [n === BAD ? 1e9 : n]);
    await expect(work.checked.enqueueMany(calls)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENTS',
      issues: [{ path: `args[${BAD}][0]` }],
    });
    expect(await stored()).toBe(before);
  });

  it('become one task for each key, and each handle leads to it', async () => {
    const handles = await work.single.enqueueMany([...numbers(50), ...numbers(50)]);
    const results = await Promise.all(handles.map((handle) => handle.result({ timeout: '20s' })));
    expect(results).toEqual([...numbers(50), ...numbers(50)].flat());
    const ids = new Set(handles.map(({ id }) => id));
    expect(Work.ran).toBe(ids.size);
    expect(handles.slice(0, 50).every(({ deduplicated }) => deduplicated === false)).toBe(true);
    for (const [n, { id, deduplicated }] of handles.slice(50).entries())
      expect(deduplicated).toBe(id === handles[n]!.id);
  });

  it('are refused as a whole when they contradict each other under one idempotency key', async () => {
    const key = `key on ${engine.name}`;
    const charge = work.charge.with({ idempotencyKey: key });
    const before = await stored();
    await expect(charge.enqueueMany([[1], [1], [2]])).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
    expect(await stored()).toBe(before);
    const handles = await charge.enqueueMany([[1], [1]]);
    expect(new Set(handles.map(({ id }) => id)).size).toBe(1);
    await expect(handles[1]!.result({ timeout: '20s' })).resolves.toBe(1);
    await expect(charge.enqueueMany([[2], [2]])).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
    expect(Work.ran).toBe(1);
  });

  it('may have nearly a megabyte each', async () => {
    const texts = Array.from({ length: 40 }, (_, n) => String(n % 10).repeat(900_000));
    const handles = await echo.enqueueMany(texts.map((text) => [text]));
    const results = await Promise.all(handles.map((handle) => handle.result({ timeout: '60s' })));
    expect(results).toEqual(texts);
  }, 90_000);

  it.each(['half a \ud800 character', 'half\udc00', 'a\0b', 'two words', ''])('have no name such as %j', (name) => {
    expect(() => booted.queue.of(name)).toThrow(/no task name/);
  });
});
