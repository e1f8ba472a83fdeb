import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { group, Task, type TaskBatch, type TaskHandle, type TaskProducer } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { REFUSED, STORED, unreadableThen } from '../support/hostile-values.js';

/** What single calls of a list end with, when the list itself or a promise in it is at fault. */
const FAULTS: Readonly<Record<string, readonly [make: () => unknown, says: RegExp]>> = {
  'a promise that is rejected': [() => Promise.reject(new Error('not this one')), /^not this one$/],
  'a promise that is rejected with nothing': [() => Promise.reject(undefined), /^undefined was thrown$/],
  'a promise of what no store can keep': [async () => 1n, /^result is a BigInt/],
  'a value whose then throws': [() => unreadableThen('no then'), /^no then$/],
};

const GOOD = 'a good one';
const values = Object.keys({ ...STORED, ...REFUSED, ...FAULTS });

@Injectable()
class Rows {
  /** Each call names what it returns. */
  @Task({ queue: 'rows', batch: { size: 200, wait: '200ms' }, retries: 2, backoff: { type: 'fixed', delay: 1 } })
  async give(calls: TaskBatch<[string]>): Promise<unknown[]> {
    return calls.map(({ args: [what] }) => (STORED[what] ?? REFUSED[what] ?? FAULTS[what])?.[0]() ?? what);
  }

  @Task({ queue: 'lists', batch: { size: 10, wait: '200ms' } })
  async list(calls: TaskBatch<[number]>): Promise<number[]> {
    const list = calls.map(({ args: [value] }) => value);
    return Object.defineProperty(list, 1, {
      get: () => {
        throw new Error('the second result cannot be read');
      },
    });
  }

  @Task({ queue: 'waiting', batch: { size: 10, wait: '200ms' }, timeout: 400 })
  async promises(calls: TaskBatch<[string]>): Promise<unknown[]> {
    return calls.map(async ({ args: [what] }) => (what === 'never' ? new Promise(() => undefined) : what));
  }

  @Task({ queue: 'large', batch: { size: 40, wait: '200ms' } })
  async large(calls: TaskBatch<[number]>): Promise<string[]> {
    return calls.map(({ args: [value] }) => String(value % 10).repeat(900_000));
  }
}

describeEachEngine('the results of a batch', (engine) => {
  let booted: Booted;
  let give: TaskProducer<(what: string) => Promise<unknown>>;

  beforeAll(async () => {
    booted = await boot({ ...(await engine.place()), abandonedAfter: '30s', enqueueTimeout: '20s' }, [Rows]);
    give = booted.queue.of('Rows.give');
  }, 60_000);
  afterAll(() => booted.app.close());

  const messageOf = (handle: TaskHandle) =>
    handle.result({ timeout: '60s' }).catch((error: { cause: { message: string } }) => error.cause.message);
  const expectedOf = (what: string): unknown => {
    const says = (REFUSED[what] ?? FAULTS[what])?.[1];
    if (says) return expect.stringMatching(says);
    return what in STORED ? STORED[what]![1] : what;
  };

  it('that no store can keep are those of their own calls: all others end with theirs, after one run', async () => {
    const calls = values.flatMap((what) => [what, GOOD]);
    const handles = await give.enqueueMany(calls.map((what) => [what]));
    expect(await Promise.all(handles.map(messageOf))).toEqual(calls.map(expectedOf));
    const statuses = await Promise.all(handles.map((handle) => handle.status()));
    // What is wrong with a promise comes to light only by waiting for it, as with a method that throws.
    const attempts = calls.map((what) => (what in FAULTS && !what.includes('no store') ? 3 : 1));
    expect(statuses.map(({ attempt }) => attempt)).toEqual(attempts);
  }, 90_000);

  it('are those of the items of a map and of the members of a group too', async () => {
    const both = (what: string) => group([give.signature(GOOD), give.signature(what)]).enqueue();
    const [whole, other] = [await both('a BigInt inside'), await both('an empty text')];
    await expect(whole.result({ timeout: '20s' })).rejects.toMatchObject({
      cause: { message: expect.stringMatching(/result\.list\[0\] is a BigInt/) },
    });
    expect(await other.result({ timeout: '20s' })).toEqual([GOOD, '']);
    const mapped = await give.map([GOOD, 'a cycle']).enqueue();
    await expect(mapped.result({ timeout: '20s' })).rejects.toThrow(/refers back/);
  }, 60_000);

  it('can be a list of which one place cannot be read', async () => {
    const handles = await booted.queue.of(Rows).list.enqueueMany([[1], [2], [3]]);
    expect(await Promise.all(handles.map(messageOf))).toEqual([1, 'the second result cannot be read', 3]);
  });

  it('can be promises, which the timeout of the task ends', async () => {
    const promises = booted.queue.of<(what: string) => Promise<string>>('Rows.promises');
    const quick = await promises.enqueueMany([['a'], ['b']]);
    expect(await Promise.all(quick.map(messageOf))).toEqual(['a', 'b']);
    const handles = await promises.enqueueMany([['a'], ['never']]);
    expect(await Promise.all(handles.map(messageOf))).toEqual([
      expect.stringContaining('timeout of 400 ms'),
      expect.stringContaining('timeout of 400 ms'),
    ]);
  });

  it('of nearly a megabyte each all come', async () => {
    const handles = await booted.queue.of(Rows).large.enqueueMany(Array.from({ length: 40 }, (_, n): [number] => [n]));
    const results = await Promise.all(handles.map((handle) => handle.result({ timeout: '60s' })));
    expect(results.map((text) => [text[0], text.length])).toEqual(handles.map((_, n) => [String(n % 10), 900_000]));
  }, 90_000);
});
