import { BadRequestException } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { runInNewContext } from 'node:vm';
import { TaskTimeoutError } from '../../../lib/errors.js';
import { toFailure } from '../../../lib/workers/failure.js';

/** As `@nestjs/microservices` has it. */
class RpcException extends Error {
  constructor(private readonly error: object) {
    super('Rpc Exception');
  }

  getError(): object {
    return this.error;
  }
}

class Declined extends Error {
  override readonly name = 'Declined';
}

describe('the failure of an error', () => {
  it.each<[what: string, error: unknown, failure: object]>([
    ['an Error', new Error('no'), { name: 'Error', message: 'no' }],
    ['an error of a built-in class', new TypeError('no'), { name: 'TypeError', message: 'no' }],
    ['an error with a name of its own', new Declined('no'), { name: 'Declined', message: 'no' }],
    ['an error of another realm', runInNewContext("new RangeError('no')"), { name: 'RangeError', message: 'no' }],
    ['an object with name and message', { name: 'Odd', message: 'no' }, { name: 'Odd', message: 'no' }],
    ['an error without a message', new TypeError(), { name: 'TypeError', message: 'TypeError' }],
    ['an error without a name', Object.assign(new Error('no'), { name: '' }), { name: 'Error', message: 'no' }],
    [
      'an error without a name and a message',
      Object.assign(new Error(), { name: '' }),
      { name: 'Error', message: 'Error' },
    ],
    ['an empty text', '', { name: 'Error', message: "'' was thrown" }],
    [
      'an error with a code',
      Object.assign(new Error('no'), { code: 'ENOENT' }),
      { name: 'Error', message: 'no', code: 'ENOENT' },
    ],
    [
      'an error with a number for a code',
      Object.assign(new Error('no'), { code: 42 }),
      { name: 'Error', message: 'no', code: '42' },
    ],
    [
      'an error with an object for a code',
      Object.assign(new Error('no'), { code: {} }),
      { name: 'Error', message: 'no' },
    ],
    [
      'an error of this package',
      new TaskTimeoutError('no'),
      { name: 'TaskTimeoutError', message: 'no', code: 'TASK_TIMEOUT' },
    ],
    [
      'an HttpException, which is written for callers',
      new BadRequestException('no'),
      { name: 'BadRequestException', message: 'no', exposable: true },
    ],
    [
      'an HttpException with an error code',
      Object.assign(new BadRequestException({ message: 'no', errorCode: 'NO_MONTH' }), { errorCode: 'NO_MONTH' }),
      { name: 'BadRequestException', message: 'no', code: 'NO_MONTH', exposable: true },
    ],
  ])('has name, message and code of %s', (_, error, failure) => {
    const { stack: _stack, ...rest } = toFailure(error);
    expect(rest).toStrictEqual(failure);
  });

  it('has its stack', () => {
    const error = new Error('no');
    expect(toFailure(error).stack).toBe(error.stack);
  });

  it('has no stack when the error has none', () => {
    expect(toFailure({ name: 'Odd', message: 'no' })).not.toHaveProperty('stack');
    expect(toFailure(Object.assign(new Error('no'), { stack: 7 }))).not.toHaveProperty('stack');
  });
});

describe('the failure of another value', () => {
  it.each<[thrown: unknown, message: string]>([
    ['no', 'no'],
    [undefined, 'undefined was thrown'],
    [null, 'null was thrown'],
    [404, '404 was thrown'],
    [{ status: 404 }, '{ status: 404 } was thrown'],
    [{ message: 'no' }, "{ message: 'no' } was thrown"],
    [{ name: 1, message: 'no' }, "{ name: 1, message: 'no' } was thrown"],
    [{ a: { b: { c: { d: 1 } } } }, '{ a: { b: { c: [Object] } } } was thrown'],
  ])('%j has the message "%s"', (thrown, message) => {
    expect(toFailure(thrown)).toStrictEqual({ name: 'Error', message });
  });
});

describe('a failure is cut', () => {
  const long = 'x'.repeat(20_000);
  const error = Object.assign(new Error(long), { name: long, code: long, stack: long });

  it.each([
    ['name', 200],
    ['code', 200],
    ['message', 4_096],
    ['stack', 16_384],
  ] as const)('in its %s, after %d characters', (field, length) => {
    const text = toFailure(error)[field] as string;
    expect(text).toHaveLength(length);
    expect(text).toMatch(/^x+…$/);
  });

  it('not when it is just short enough', () => {
    const message = 'x'.repeat(4_096);
    expect(toFailure(new Error(message)).message).toBe(message);
  });

  it('also when a text was thrown', () => {
    expect(toFailure(long).message).toHaveLength(4_096);
  });
});

describe('the details of an error', () => {
  it.each<[what: string, error: unknown, message: string]>([
    [
      'the fields that a ValidationPipe refused',
      new BadRequestException(['a must be b', 'c is missing']),
      'a must be b; c is missing',
    ],
    [
      'a message of the response',
      new BadRequestException({ statusCode: 400, message: 'no such month', error: 'Bad Request' }),
      'no such month',
    ],
    [
      'the details beside a message of the response',
      new BadRequestException({ statusCode: 400, message: 'Validation failed', errors: [{ path: ['month'] }] }),
      'Validation failed: {"errors":[{"path":["month"]}]}',
    ],
    [
      'an error beside a message of the response',
      new BadRequestException({ message: 'refused', error: 'card_expired' }),
      'refused: {"error":"card_expired"}',
    ],
    ['a response with an empty message', new BadRequestException({ message: [], field: 'month' }), '{"field":"month"}'],
    [
      'the response of an HttpException in an AggregateError',
      new AggregateError([new BadRequestException(['a must be b'])], 'one failed'),
      'one failed: a must be b',
    ],
    [
      'the errors of an AggregateError in an AggregateError',
      new AggregateError([new AggregateError([new Error('one'), new Error('two')], 'first host')], 'no host answered'),
      'no host answered: first host: one; two',
    ],
    ['an error without a message in an AggregateError', new AggregateError([new TypeError()], 'no'), 'no: TypeError'],
    [
      'what an exception of a microservice says',
      new RpcException({ message: 'refused', details: ['no such month'] }),
      'refused: {"details":["no such month"]}',
    ],
    ['a response without a message', new BadRequestException({ field: 'month' }), '{"field":"month"}'],
    ['a message of its own', new BadRequestException('no such month'), 'no such month'],
    [
      'the errors of an AggregateError',
      new AggregateError([new Error('one'), 'two'], 'both failed'),
      'both failed: one; two',
    ],
    ['the errors of an AggregateError without a message', new AggregateError([new Error('one')]), '1 errors: one'],
  ])('are in its message: %s', (_, error, message) => {
    expect(toFailure(error).message).toBe(message);
  });

  it('are in its stack: the causes, each once', () => {
    const root = new Error('the disk is full');
    const error = new Error('cannot save', { cause: new Error('cannot write', { cause: root }) });
    root.cause = error;
    const { stack = '' } = toFailure(error);
    expect(stack.match(/^Caused by: Error: (.+)$/gm)).toEqual([
      'Caused by: Error: cannot write',
      'Caused by: Error: the disk is full',
    ]);
  });

  it('are in its stack: the fields that the cause refused', () => {
    const { stack } = toFailure(new Error('not invited', { cause: new BadRequestException(['a must be b']) }));
    expect(stack).toContain('Caused by: a must be b\nBadRequestException: Bad Request Exception');
  });

  it('are in its message also when errors contain each other', () => {
    const error = new AggregateError([], 'round');
    error.errors.push(error);
    expect(toFailure(error).message).toBe('round: round: round');
  });

  it.each([
    ['a message that throws', Object.defineProperty(new Error(), 'message', { get: () => fail() })],
    ['a value that throws when it is printed', { [Symbol.for('nodejs.util.inspect.custom')]: () => fail() }],
  ])('cannot make it throw: %s', (_, error) => {
    expect(toFailure(error)).toMatchObject({ name: 'Error', message: expect.stringContaining('cannot be read') });
  });
});

describe('a property that throws', () => {
  it.each(['stack', 'code', 'cause', 'name', 'toJSON', 'errors'])('hides no other: %s', (property) => {
    const error = Object.defineProperty(new Error('no'), property, { get: () => fail() });
    expect(toFailure(error)).toMatchObject({ name: 'Error', message: 'no' });
  });
});

function fail(): never {
  throw new Error('no property can be read');
}
