import { describe, expect, test } from '@jest/globals';
import type { Request } from 'express';
import { ConfigurationError } from '../../../lib/errors.js';
import { resolveHttpOptions, type HttpOptions, type HttpRequest } from '../../../lib/http/http-options.js';

const resolve = (options?: HttpOptions, env: NodeJS.ProcessEnv = {}) => {
  const resolved = resolveHttpOptions(options, env);
  if (!resolved) throw new Error('The options switch the endpoint off.');
  return resolved;
};

test('resolveHttpOptions fills in the defaults', () => {
  expect(resolve()).toMatchObject({
    path: 'tasks',
    authorize: undefined,
    longestWait: 60_000,
    heartbeat: 15_000,
    authorizeLimit: 10_000,
    maxHeld: 10_000,
    maxHeldPerClient: 100,
  });
  expect(resolveHttpOptions(false)).toBe(false);
});

test('resolveHttpOptions removes the slashes around the path', () => {
  expect(resolve({ path: '/internal/my.tasks/' }).path).toBe('internal/my.tasks');
});

describe('exposeErrors', () => {
  const plain = { name: 'TypeError', message: 'x of undefined' };
  const forCallers = { name: 'NotFoundException', message: 'no such user', exposable: true };
  const shown = (exposeErrors: HttpOptions['exposeErrors'], env: NodeJS.ProcessEnv = {}) => {
    const { mayShow } = resolve(exposeErrors === undefined ? {} : { exposeErrors }, env);
    return [mayShow(plain), mayShow(forCallers)];
  };

  test.each<[string, HttpOptions['exposeErrors'], string, boolean[]]>([
    ['nothing', undefined, 'test', [true, true]],
    ['nothing', undefined, 'production', [false, true]],
    ['true', true, 'production', [true, true]],
    ['false', false, 'test', [false, true]],
    ['a list', ['TypeError'], 'production', [true, true]],
    ['another list', ['RangeError'], 'test', [false, true]],
    ['a function', ({ name }) => name === 'TypeError', 'production', [true, false]],
  ])('%s (%p) under NODE_ENV=%s shows a plain error and an error for callers: %p', (_, option, NODE_ENV, expected) => {
    expect(shown(option, { NODE_ENV })).toEqual(expected);
  });
});

test.each<[unknown, RegExp]>([
  [true, /^http is true\. Give false/],
  [[], /^http is \[\]/],
  [
    { pth: 'x' },
    /^There is no option http\.pth\. The options are: path, authorize, exposeErrors, details, maxHeld, maxHeldPerClient\.$/,
  ],
  [{ details: 'yes' }, /^http\.details is "yes"\. Give true or false\.$/],
  [{ path: '' }, /^http\.path is ""\. Give a plain path, such as 'tasks'/],
  [{ path: 'a//b' }, /^http\.path is "a\/\/b"/],
  [{ path: 'tasks/:tenant' }, /^http\.path is "tasks\/:tenant"/],
  [{ path: '../x' }, /^http\.path is/],
  [{ path: 7 }, /^http\.path is 7/],
  [{ authorize: 'admin' }, /^http\.authorize is "admin"\. Give a function/],
  [{ maxHeld: 0 }, /^http\.maxHeld is 0\. Give a whole number from 1\.$/],
  [{ maxHeld: Number.NaN }, /^http\.maxHeld is NaN\./],
  [{ maxHeldPerClient: 1.5 }, /^http\.maxHeldPerClient is 1\.5\./],
  [{ maxHeldPerClient: '7' }, /^http\.maxHeldPerClient is "7"\./],
  [{ exposeErrors: 'all' }, /^http\.exposeErrors is "all"\. Give true, false, a list/],
  [{ exposeErrors: [Error] }, /^http\.exposeErrors is/],
])('resolveHttpOptions refuses %j', (options, message) => {
  expect(() => resolveHttpOptions(options as HttpOptions)).toThrow(message);
  expect(() => resolveHttpOptions(options as HttpOptions)).toThrow(ConfigurationError);
});

test('authorize may use the request type of its platform', () => {
  const forExpress: HttpOptions = { authorize: (request: Request, { id }) => request.params['id'] === id };
  const forFastify: HttpOptions = {
    authorize: async (request: HttpRequest & { ip: string }) => request.ip === '127.0.0.1',
  };
  expect(resolve(forExpress).authorize).toBe(forExpress.authorize);
  expect(resolve(forFastify).authorize).toBe(forFastify.authorize);
});
