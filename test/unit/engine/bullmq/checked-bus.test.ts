import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { CheckedBus } from '../../../../lib/engine/bullmq/checked-bus.js';
import { LocalBus } from '../../../../lib/engine/bullmq/embedded/local-bus.js';

const listener = jest.fn<(message: string) => unknown>();
const unhandled = jest.fn();
let lines: string[];
let bus: CheckedBus;

/** Accepts the JSON of a text. */
function parseString(text: string): string | undefined {
  if (text === 'a bug') throw new TypeError('a bug in the parser');
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

beforeEach(async () => {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  lines = [];
  jest.spyOn(Logger.prototype, 'warn').mockImplementation((line: string) => void lines.push(line));
  listener.mockReset();
  bus = new CheckedBus(new LocalBus());
  await bus.subscribe('news', parseString, listener);
});
afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

it('hands on a message that can be read', async () => {
  await bus.publish('news', '"hello"');
  expect(listener.mock.calls).toEqual([['hello']]);
  expect(lines).toEqual([]);
});

it.each([
  ['a secret', 'it is not JSON'],
  ['', 'it is not JSON'],
  ['{"a":"a secret"}', 'it does not have the form of a message of this package'],
])('drops the text %j with a line that names the channel and the fault, and not the text', async (text, fault) => {
  await bus.publish('news', text);
  expect(listener).not.toHaveBeenCalled();
  expect(lines).toEqual([`A message on the channel "news" was dropped: ${fault}.`]);
});

it('logs each fault of a channel once a minute', async () => {
  await bus.subscribe('other', parseString, listener);
  for (let second = 0; second < 60; second++) {
    for (const text of ['one', 'another', '{}', '[]']) await bus.publish('news', text);
    await bus.publish('other', 'one');
    jest.advanceTimersByTime(1_000);
  }
  expect(lines).toHaveLength(3);
  await bus.publish('news', 'one');
  expect(lines).toHaveLength(4);
});

it.each([
  ['returns a promise that is rejected', () => Promise.reject(new TypeError('it quotes "a secret"'))],
  [
    'throws',
    () => {
      throw new TypeError('it quotes "a secret"');
    },
  ],
])('does not let an error of a listener through that %s, and does not log its message', async (_, fail) => {
  process.on('unhandledRejection', unhandled);
  listener.mockImplementationOnce(fail);
  await bus.publish('news', '"a secret"');
  await new Promise(setImmediate);
  expect(lines).toEqual([
    expect.stringMatching(/^A message on the channel "news" made its listener throw TypeError at .*checked-bus.test/),
  ]);
  expect(lines[0]).not.toContain('secret');
  await bus.publish('news', '"hello"');
  expect(listener).toHaveBeenLastCalledWith('hello');
  expect(unhandled).not.toHaveBeenCalled();
  process.off('unhandledRejection', unhandled);
});

it('does not let an error of a parser or a value that is no error through', async () => {
  await bus.publish('news', 'a bug');
  listener.mockImplementationOnce(() => {
    throw 'text';
  });
  await bus.publish('news', '"hello"');
  expect(lines).toEqual([
    expect.stringContaining('throw TypeError at '),
    'A message on the channel "news" made its listener throw a value that is no error.',
  ]);
});
