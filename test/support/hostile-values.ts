import { HttpException } from '@nestjs/common';

/** Values that methods return or throw, and that are hard to store or to look at. */

const hostile = (): never => {
  throw new Error('nothing of this value can be read');
};
const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};
const cycle = () => {
  const list: unknown[] = [];
  list.push([list]);
  return list;
};
const nested = (depth: number): unknown => (depth === 0 ? null : [nested(depth - 1)]);
const endless = (): object => ({ toJSON: endless });
const polluting = '{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}';

const hostileProxy = (target: object) => new Proxy(target, { get: hostile, getPrototypeOf: hostile, has: hostile });
const withGetter = (property: string) =>
  Object.defineProperty(new Error('the disk is full'), property, { get: hostile });
/** What waits for such a value gets an error. */
export const unreadableThen = (message: string): object => {
  const value = {};
  Reflect.set(value, 'then', () => undefined);
  const refuse = () => {
    throw new Error(message);
  };
  for (const name of Object.keys(value)) Object.defineProperty(value, name, { get: refuse });
  return value;
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
  const self: { self?: unknown } = {};
  self.self = self;
  return self;
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
export const STORED: Readonly<Record<string, readonly [make: () => unknown, result: unknown]>> = {
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
export const REFUSED: Readonly<Record<string, readonly [make: () => unknown, says: RegExp]>> = {
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

/** What a method throws, and what the failure has to say. */
export const THROWN: Readonly<Record<string, readonly [make: () => unknown, says: RegExp]>> = {
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
