import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task, TaskContext, type TaskProducer, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';

const hostile = (): never => {
  throw new Error('nothing of this value can be read');
};
const cycle = () => {
  const list: unknown[] = [];
  list.push([list]);
  return list;
};
const nested = (depth: number): unknown => (depth === 0 ? null : [nested(depth - 1)]);
const endless = (): object => ({ toJSON: endless });
const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};
const polluting = '{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}';

class Money {
  constructor(readonly cents: number) {}
}
class Account {
  #balance = 5;
  get balance(): number {
    return this.#balance;
  }
}

/** What a method returns, and what callers get. */
const STORED: Readonly<Record<string, readonly [make: () => unknown, result: unknown]>> = {
  'minus zero': [() => -0, 0],
  'an empty text': [() => '', ''],
  false: [() => false, false],
  'a Date': [() => new Date(0), '1970-01-01T00:00:00.000Z'],
  'a Buffer': [() => Buffer.from('a'), { type: 'Buffer', data: [97] }],
  'an URL': [() => new URL('http://a.example/'), 'http://a.example/'],
  'undefined inside': [() => ({ a: undefined, b: 1 }), { b: 1 }],
  'a plain instance': [() => new Money(5), { cents: 5 }],
  'an object without a prototype': [() => Object.assign(Object.create(null) as object, { a: 1 }), { a: 1 }],
  'keys that pollute prototypes': [() => JSON.parse(polluting) as unknown, JSON.parse(polluting)],
  'keys of lists and numbers': [() => ({ length: 3, 0: 'a', toString: 'b' }), { length: 3, 0: 'a', toString: 'b' }],
  'an empty key': [() => ({ '': { '': 1 } }), { '': { '': 1 } }],
  'all of Unicode but half characters': [() => '\u0001\u001f\u2028\uffff👍🏽\u202e', '\u0001\u001f\u2028\uffff👍🏽\u202e'],
  'a frozen list': [() => Object.freeze([1, [2]]), [1, [2]]],
  'a text of nearly 1 MB': [() => 'ä'.repeat(500_000), 'ä'.repeat(500_000)],
  'a list of 20,000 numbers': [
    () => Array.from({ length: 20_000 }, (_, n) => n),
    Array.from({ length: 20_000 }, (_, n) => n),
  ],
  'a value 400 levels deep': [() => nested(400), nested(400)],
};

/** What a method returns and no store can keep, and the part of the error that says why. */
const REFUSED: Readonly<Record<string, readonly [make: () => unknown, says: RegExp]>> = {
  'a BigInt inside': [() => ({ list: [1n] }), /result\.list\[0\] is a BigInt/],
  'a cycle': [cycle, /refers back/],
  'NaN inside': [() => [Number.NaN], /result\[0\] is NaN/],
  Infinity: [() => -Infinity, /is -Infinity/],
  'a hole in a list': [() => Object.assign([], { 1: 1 }), /result\[0\] is undefined/],
  'a list of four billion holes': [() => Object.assign([], { length: 4_294_967_295 }), /result\[0\] is undefined/],
  'undefined in a list': [() => [undefined], /result\[0\] is undefined/],
  'a Map': [() => ({ prices: new Map() }), /result\.prices is an instance of Map/],
  'a Set': [() => new Set([1]), /instance of Set/],
  'an error': [() => ({ error: new Error('x') }), /result\.error/],
  'a promise inside': [() => ({ later: Promise.resolve(1) }), /result\.later/],
  'a typed array': [() => new Uint8Array(3), /instance of Uint8Array/],
  'a function inside': [() => ({ run: hostile }), /result\.run is a function/],
  'a symbol': [() => Symbol('x'), /is a symbol/],
  'private fields': [() => new Account(), /instance of Account/],
  'half a character': [() => ['\ud800'], /half a surrogate pair/],
  'half a character in a key': [() => ({ 'a\udc00': 1 }), /half a surrogate pair/],
  NUL: [() => ({ text: 'a\0b' }), /NUL/],
  'a toJSON that throws': [() => ({ toJSON: hostile }), /nothing of this value can be read/],
  'a toJSON without an end': [endless, /500 levels/],
  'a toJSON that returns nothing': [() => ({ toJSON: () => undefined }), /is undefined/],
  'a getter that throws': [
    () => Object.defineProperty({}, 'a', { get: hostile, enumerable: true }),
    /nothing of this value/,
  ],
  'a revoked proxy inside': [() => [revoked()], /revoked/],
  'a value 600 levels deep': [() => nested(600), /500 levels/],
  'an invalid Date': [() => new Date(Number.NaN), /invalid Date/],
  'a text of 1.5 MB': [() => 'x'.repeat(1_500_000), /1500002 bytes/],
  'a text of 50 MB': [() => 'x'.repeat(50_000_000), /50000002 bytes/],
};

@Injectable()
class Work {
  static runs = 0;

  constructor(private readonly task: TaskContext) {}

  @Task({ retries: 2, backoff: { type: 'fixed', delay: 1 } })
  async give(what: string): Promise<unknown> {
    Work.runs++;
    return (STORED[what] ?? REFUSED[what]!)[0]();
  }

  @Task()
  async report(what: string): Promise<string> {
    try {
      await this.task.progress(REFUSED[what]![0]() as never);
      return 'stored';
    } catch (error) {
      return (error as Error).message;
    }
  }

  @Task()
  async echo(value: unknown): Promise<unknown> {
    return value;
  }
}

describeEachEngine('a task that returns', (engine) => {
  let booted: Booted;
  let work: Tasks<Work>;
  let give: TaskProducer<(what: string) => Promise<unknown>>;

  beforeAll(async () => {
    booted = await boot({ ...(await engine.place()), abandonedAfter: '30s', enqueueTimeout: '20s' }, [Work]);
    work = booted.queue.of(Work);
    // Its results may be anything, which its type would not allow.
    give = booted.queue.of('Work.give');
  }, 60_000);
  afterAll(() => booted.app.close());

  it('what JSON can represent succeeds with it', async () => {
    const handles = await give.enqueueMany(Object.keys(STORED).map((what) => [what] as const));
    const results = await Promise.all(handles.map((handle) => handle.result({ timeout: '60s' })));
    expect(results).toEqual(Object.values(STORED).map(([, result]) => result));
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  }, 90_000);

  it('what no store can keep fails after one run, and says where it is', async () => {
    Work.runs = 0;
    const handles = await give.enqueueMany(Object.keys(REFUSED).map((what) => [what] as const));
    const ends = await Promise.all(
      handles.map((handle) => handle.result({ timeout: '60s' }).catch((error: { cause: unknown }) => error.cause)),
    );
    expect(ends).toEqual(
      Object.values(REFUSED).map(([, says]) =>
        expect.objectContaining({ message: expect.stringMatching(says) as unknown }),
      ),
    );
    expect(Work.runs).toBe(handles.length);
  }, 90_000);

  it('is refused as progress and as an argument too, and the task goes on', async () => {
    const handles = await work.report.enqueueMany(Object.keys(REFUSED).map((what) => [what] as const));
    const reported = await Promise.all(handles.map((handle) => handle.result({ timeout: '60s' })));
    for (const [index, [what, [make, says]]] of Object.entries(REFUSED).entries()) {
      const named = (path: string) => new RegExp(says.source.replaceAll('result', path), says.flags);
      expect(reported[index]).toMatch(named('progress'));
      const sent = booted.queue.of('Work.echo').enqueue(make());
      await expect(sent).rejects.toThrow(what.startsWith('a text of') ? /bytes/ : named(String.raw`args\[0\]`));
    }
  }, 90_000);
});
