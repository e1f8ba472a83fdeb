import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { CheckedBus, type Fields } from '../../../../lib/engine/bullmq/checked-bus.js';
import { RareWarnings } from '../../../../lib/engine/bullmq/rare-warnings.js';
import { LocalBus } from '../../../../lib/engine/bullmq/embedded/local-bus.js';

const listener = jest.fn<(message: string) => unknown>();
const newer = jest.fn();
const unhandled = jest.fn();
let lines: string[];
let raw: LocalBus;
let bus: CheckedBus;

/** Reads the field `text`. */
function read({ text }: Fields): string | undefined {
  if (text === 'a bug') throw new TypeError('a bug in the parser');
  return typeof text === 'string' ? text : undefined;
}

beforeEach(async () => {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  lines = [];
  newer.mockReset();
  jest.spyOn(Logger.prototype, 'warn').mockImplementation((line: string) => void lines.push(line));
  listener.mockReset();
  raw = new LocalBus();
  bus = new CheckedBus(raw, new RareWarnings());
  await bus.subscribe('news', { read, receive: listener, receiveNewer: newer });
});
afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

it('hands on a message that can be read', async () => {
  await bus.publish('news', { text: 'hello' });
  expect(listener.mock.calls).toEqual([['hello']]);
  expect(lines).toEqual([]);
});

it.each([
  ['a secret', 'it is not a JSON object, or it is too long'],
  ['["a secret"]', 'it is not a JSON object, or it is too long'],
  [`{"text":"${'x'.repeat(60_000)}"}`, 'it is not a JSON object, or it is too long'],
  ['', 'it does not have the form of a message of this package'],
  ['{"a":"a secret"}', 'it does not have the form of a message of this package'],
])('drops the text %j with a line that names the channel and the fault, and not the text', async (text, fault) => {
  await raw.publish('news', text);
  expect(listener).not.toHaveBeenCalled();
  expect(lines).toEqual([`A message on the channel "news" was dropped: ${fault}.`]);
});

it('logs each fault of a channel once a minute', async () => {
  await bus.subscribe('other', { read, receive: listener });
  for (let second = 0; second < 60; second++) {
    for (const text of ['one', 'another', '{}', '[]']) await raw.publish('news', text);
    await raw.publish('other', 'one');
    jest.advanceTimersByTime(1_000);
  }
  expect(lines).toHaveLength(3);
  await raw.publish('news', 'one');
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
  await bus.publish('news', { text: 'a secret' });
  await new Promise(setImmediate);
  expect(lines).toEqual([
    expect.stringMatching(/^A message on the channel "news" made its listener throw TypeError at .*checked-bus.test/),
  ]);
  expect(lines[0]).not.toContain('secret');
  await bus.publish('news', { text: 'hello' });
  expect(listener).toHaveBeenLastCalledWith('hello');
  expect(unhandled).not.toHaveBeenCalled();
  process.off('unhandledRejection', unhandled);
});

it('does not let an error of a parser or a value that is no error through', async () => {
  await bus.publish('news', { text: 'a bug' });
  listener.mockImplementationOnce(() => {
    throw 'text';
  });
  await bus.publish('news', { text: 'hello' });
  expect(lines).toEqual([
    expect.stringContaining('throw TypeError at '),
    'A message on the channel "news" made its listener throw a value that is no error.',
  ]);
});

it('sends the number of the format, and reads messages without one, as version 0.1.0 sends them', async () => {
  const texts: string[] = [];
  await raw.subscribe('news', (text) => void texts.push(text));
  await bus.publish('news', { text: 'hello' });
  expect(texts).toEqual(['{"v":1,"text":"hello"}']);
  await raw.publish('news', '{"text":"old"}');
  expect(listener.mock.calls).toEqual([['hello'], ['old']]);
});

it('drops a message of a later format with one line, and calls the subscriber for it', async () => {
  for (let n = 0; n < 3; n++) await raw.publish('news', '{"v":2,"text":"a secret"}');
  expect(listener).not.toHaveBeenCalled();
  expect(newer).toHaveBeenCalledTimes(3);
  expect(lines).toEqual([
    'A message on the channel "news" was dropped: a later version of this package sent it, and this process does not understand it.',
  ]);
});
