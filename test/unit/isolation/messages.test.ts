import { describe, expect, it } from '@jest/globals';
import { EngineUnavailableError, QueueFullError, TaskTimeoutError } from '../../../lib/errors.js';
import { describeExit } from '../../../lib/isolation/child-exit.js';
import { inheritedArguments } from '../../../lib/isolation/inherited-arguments.js';
import { fromSentError, toSentError } from '../../../lib/isolation/sent-error.js';

describe('an error that travels between two processes', () => {
  const travelled = (error: unknown) => fromSentError(structuredClone(toSentError(error)));

  it('has its class, its fields and its stack', () => {
    const error = travelled(new QueueFullError('mail', 5, 5, 1));
    expect(error).toBeInstanceOf(QueueFullError);
    expect(error).toMatchObject({ name: 'QueueFullError', code: 'QUEUE_FULL', queue: 'mail', limit: 5 });
    expect(error.stack).toContain('messages.test');
    expect(travelled(new TaskTimeoutError('late'))).toBeInstanceOf(TaskTimeoutError);
  });

  it('has a name, a code and a cause when its class is another', () => {
    const cause = Object.assign(new Error('down'), { code: 'ECONNREFUSED' });
    expect(travelled(new EngineUnavailableError('no', { cause }))).toMatchObject({ cause: { code: 'ECONNREFUSED' } });
    const foreign = Object.assign(new TypeError('odd'), { code: '40001', socket: { write: () => undefined } });
    expect(travelled(foreign)).toMatchObject({ name: 'TypeError', message: 'odd', code: '40001' });
    expect(travelled('a text')).toMatchObject({ message: 'a text' });
  });
});

it('a child inherits the arguments of Node but for those that only one process can have', () => {
  const own = ['--import', './loader.js', '--inspect=9229', '-e', 'code', '--max-old-space-size=100', '--no-warnings'];
  expect(inheritedArguments(own, undefined)).toEqual(['--import', './loader.js', '--no-warnings']);
  expect(inheritedArguments([], 512 * 1024 ** 2)).toEqual(['--max-old-space-size=512']);
});

describe('the reason of an end', () => {
  const exit = { code: null, signal: null, memory: undefined, lines: [] };

  it.each([
    [{ ...exit, code: 3 }, 'ended with exit code 3'],
    [{ ...exit, signal: 'SIGKILL' as const }, 'was ended by SIGKILL'],
    [{ ...exit, code: 1, lines: ['a', 'b'] }, 'ended with exit code 1. Its last lines: a | b'],
    [
      { ...exit, signal: 'SIGKILL' as const, memory: 600 * 1024 ** 2 },
      'was ended, because its resident memory grew to 600 MB and its limit is 512 MB',
    ],
    [
      { ...exit, signal: 'SIGABRT' as const, lines: ['FATAL ERROR: Reached heap limit', '----- stack'] },
      'ran out of memory: FATAL ERROR: Reached heap limit',
    ],
  ])('%j', (end, text) => {
    expect(describeExit(end, 512 * 1024 ** 2)).toBe(text);
  });
});
