import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Injectable, UseGuards, type CanActivate } from '@nestjs/common';
import { HttpException } from '@nestjs/common';
import { Task, type TaskBatch, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';

const hostile = (): never => {
  throw new Error('nothing of this value can be read');
};
const hostileProxy = (target: object) => new Proxy(target, { get: hostile, getPrototypeOf: hostile, has: hostile });
const withGetter = (property: string) =>
  Object.defineProperty(new Error('the disk is full'), property, { get: hostile });
const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};
/** A promise that is resolved with such a value waits for ever. */
const thenable = <T extends object>(value: T): T => {
  Reflect.set(value, 'then', () => undefined);
  return value;
};
const circular = () => {
  const error = new Error('the disk is full');
  error.cause = new Error('inner', { cause: error });
  return error;
};
const body = () => {
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  return cycle;
};
class Failures extends AggregateError {
  override readonly name = 'Failures';
}
const suppressed = () =>
  Object.assign(new Error('An error was suppressed during disposal.'), {
    name: 'SuppressedError',
    error: new Error('cannot close'),
    suppressed: new Error('cannot write'),
  });

/** What a method throws, and what the failure has to say. */
const VALUES: Readonly<Record<string, readonly [make: () => unknown, says: RegExp]>> = {
  undefined: [() => undefined, /^undefined was thrown$/],
  null: [() => null, /^null was thrown$/],
  'an empty text': [() => '', /^'' was thrown$/],
  'a symbol': [() => Symbol('full'), /Symbol\(full\) was thrown/],
  'a BigInt': [() => 10n, /10n was thrown/],
  'a function': [() => hostile, /\[Function: hostile\]/],
  'a class': [() => Failures, /class Failures/],
  'an object without a prototype': [
    () => Object.assign(Object.create(null) as object, { reason: 'full' }),
    /reason: 'full'/,
  ],
  'a promise that is rejected': [() => Promise.resolve(1), /Promise/],
  'an object with a method then': [() => thenable({ reason: 'full' }), /reason: 'full'/],
  'an error with a method then': [() => thenable(new Error('the disk is full')), /^the disk is full$/],
  'a frozen error': [() => Object.freeze(new Error('the disk is full')), /^the disk is full$/],
  'an error that is its own cause': [circular, /^the disk is full$/],
  'an error whose stack throws': [() => withGetter('stack'), /^the disk is full$/],
  'an error whose code throws': [() => withGetter('code'), /^the disk is full$/],
  'an error whose cause throws': [() => withGetter('cause'), /^the disk is full$/],
  'an error whose name throws': [() => withGetter('name'), /^the disk is full$/],
  'an error whose toJSON throws': [
    () => Object.assign(new Error('the disk is full'), { toJSON: hostile }),
    /^the disk is full$/,
  ],
  'an error whose message throws': [() => withGetter('message'), /cannot be read/],
  'an error whose message is an object': [
    () => Object.assign(new Error(), { message: { disk: 'full' } }),
    /disk: 'full'/,
  ],
  'an error whose cause cannot be read': [
    () => new Error('the disk is full', { cause: hostileProxy({}) }),
    /^the disk is full$/,
  ],
  'a proxy that throws at everything': [() => hostileProxy(new Error('hidden')), /cannot be read/],
  'a revoked proxy': [revoked, /cannot be read|Revoked/],
  'a DOMException': [() => new DOMException('aborted by hand', 'AbortError'), /^aborted by hand$/],
  'errors inside of errors': [
    () => new AggregateError([new AggregateError([new Error('deep')], 'inner'), withGetter('message')], 'outer'),
    /^outer: inner: deep; .*cannot be read/,
  ],
  'a class of its own for several errors': [
    () => new Failures([new Error('one'), new Error('two')], 'both'),
    /^both: one; two$/,
  ],
  'an error that suppressed another': [suppressed, /cannot close; cannot write/],
  'an HTTP error whose body has a cycle': [() => new HttpException({ message: body() }, 400), /self: \[Circular/],
  'a message of 5 MB': [() => new Error('x'.repeat(5_000_000)), /^x{4095}…$/],
  'half a character and NUL': [() => Object.assign(new Error('a\0b\ud800c'), { code: 'E\0\ud800' }), /^ab\ufffdc$/],
};

/** A call of a batch in which all others fail. */
const GOOD = 'good';

class Anyone implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}

@Injectable()
class Work {
  static runs = 0;

  @Task()
  async bare(what: string): Promise<void> {
    throw VALUES[what]![0]();
  }

  @Task({ retries: 1, backoff: { type: 'fixed', delay: 1 } })
  @UseGuards(Anyone)
  async enhanced(what: string): Promise<void> {
    Work.runs++;
    throw VALUES[what]![0]();
  }

  @Task({ queue: 'rows', batch: { size: 100, wait: '50ms' } })
  async inBatch(calls: TaskBatch<[string]>): Promise<string[]> {
    for (const call of calls) if (call.args[0] !== GOOD) call.fail(VALUES[call.args[0]]![0]());
    return calls.map(() => GOOD);
  }
}

describeEachEngine('a task that throws', (engine) => {
  let booted: Booted;
  let work: Tasks<Work>;

  beforeAll(async () => {
    booted = await boot({ ...(await engine.place()), abandonedAfter: '30s', enqueueTimeout: '30s' }, [Work]);
    work = booted.queue.of(Work);
  }, 60_000);
  beforeEach(() => void (Work.runs = 0));
  afterAll(() => booted.app.close());

  it('anything fails with what it says, after the runs of its declaration, with and without enhancers', async () => {
    const values = Object.keys(VALUES);
    const bare = await work.bare.enqueueMany(values.map((what) => [what]));
    const enhanced = await work.enhanced.enqueueMany(values.map((what) => [what]));
    const ends = await Promise.all(
      [...bare, ...enhanced].map(async (handle) => {
        const code = await handle.result({ timeout: '60s' }).catch((error: { code: string }) => error.code);
        const { state, error } = await handle.status();
        return { code, state, message: error?.message };
      }),
    );
    const expected = Object.values(VALUES).map(([, says]) => ({
      code: 'TASK_FAILED',
      state: 'failed',
      message: expect.stringMatching(says) as unknown,
    }));
    expect(ends).toEqual([...expected, ...expected]);
    expect(Work.runs).toBe(2 * values.length);
  }, 90_000);

  it('anything for one call of a batch fails that call, and no other one', async () => {
    // Of a text that was given on purpose, nothing is made but the message.
    const values = Object.keys(VALUES).filter((what) => what !== 'an empty text');
    const handles = await work.inBatch.enqueueMany([...values, GOOD].map((what) => [what]));
    const ends = await Promise.all(
      handles.map(async (handle) => {
        await handle.result({ timeout: '60s' }).catch(() => undefined);
        const { state, error } = await handle.status();
        return state === 'failed' ? error?.message : state;
      }),
    );
    const expected = values.map((what) => expect.stringMatching(VALUES[what]![1]) as unknown);
    expect(ends).toEqual([...expected, 'succeeded']);
  }, 90_000);
});
