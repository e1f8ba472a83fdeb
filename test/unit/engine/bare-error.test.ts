import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { bareError, bareMessage } from '../../../lib/engine/bare-error.js';
import { EngineUnavailableError } from '../../../lib/errors.js';

function errorWith(message: string, properties: object = {}): Error {
  return Object.assign(new Error(message), properties);
}

describe('a bare error', () => {
  it('has the name, code, message and frames of the error, and nothing else', () => {
    const error = errorWith('OOM command not allowed', {
      name: 'ReplyError',
      code: 'OOM',
      command: { name: 'eval', args: ['secret'] },
      detail: 'secret',
      parameters: ['secret'],
      cause: errorWith('inner', { args: ['secret'] }),
    });
    const bare = bareError(error);
    expect(bare).toMatchObject({ name: 'ReplyError', code: 'OOM', message: 'OOM command not allowed' });
    expect(bare.stack).toMatch(/^ReplyError: OOM command not allowed\n {4}at /);
    expect(bare.cause).toMatchObject({ message: 'inner' });
    expect(inspect(bare, { depth: 9, showHidden: true })).not.toContain('secret');
  });

  it('is the error itself when this package threw it', () => {
    const error = new EngineUnavailableError('x');
    expect(bareError(error)).toBe(error);
  });

  it.each<[error: unknown, message: string]>([
    [errorWith('', { code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
    [errorWith("ERR unknown command 'x', with args beginning with: 'secret' 'b'"), "ERR unknown command 'x'"],
    [
      errorWith('invalid input syntax for type integer: "secret"', { code: '22P02' }),
      'invalid input syntax for type integer: "…"',
    ],
    [
      errorWith('duplicate key value violates unique constraint "job_pkey"', { code: '23505' }),
      'duplicate key value violates unique constraint "job_pkey"',
    ],
    [
      errorWith("Incorrect integer value: 'secret' for column 'a' at row 1"),
      "Incorrect integer value: '…' for column 'a' at row 1",
    ],
    [errorWith("Duplicate entry 'sec'ret' for key 'PRIMARY'"), "Duplicate entry '…' for key 'PRIMARY'"],
    [errorWith("You have an error near 'secret' at line 1"), "You have an error near '…' at line 1"],
    [new SyntaxError('Unexpected token \'s\', "secret" is not valid JSON'), 'A text is not JSON.'],
    [errorWith('connect to redis://me:secret@host:1 failed'), 'connect to redis://…@host:1 failed'],
    [errorWith('getaddrinfo ENOTFOUND redis://me:se@cret/x@host'), 'getaddrinfo ENOTFOUND redis://…@host'],
    [errorWith('getaddrinfo ENOTFOUND redis://secret@host'), 'getaddrinfo ENOTFOUND redis://…@host'],
    [errorWith('x'.repeat(100_000)), 'x'.repeat(2_000)],
    [{}, 'Error'],
    [undefined, 'Error'],
  ])('%#: has a message without values', (error, message) => {
    expect(bareMessage(error)).toBe(message);
  });
});
