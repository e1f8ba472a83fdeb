import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { EventEmitter } from 'node:events';
import type { MessageBus } from '../../../../lib/engine/bullmq/message-bus.js';
import { RareWarnings } from '../../../../lib/engine/bullmq/rare-warnings.js';
import { SealedBus } from '../../../../lib/engine/bullmq/sealed-bus.js';

const MINUTE = 60_000;

/** What everybody can hear and say. */
class PublicBus implements MessageBus {
  readonly isPublic = true;
  readonly largestMessage = 7_900;
  readonly publishEnd = undefined;
  readonly sent: { channel: string; text: string }[] = [];
  private readonly channels = new EventEmitter();

  async publish(channel: string, text: string): Promise<void> {
    this.sent.push({ channel, text });
    this.channels.emit(channel, text);
  }

  async subscribe(channel: string, listener: (text: string) => void): Promise<() => Promise<void>> {
    this.channels.on(channel, listener);
    return async () => void this.channels.off(channel, listener);
  }
}

let time = 0;
let bus: PublicBus;
let lines: string[];
const listener = jest.fn();
const secret = jest.fn<() => Promise<string>>();

function busOf(ownSecret: () => Promise<string> = secret): SealedBus {
  return new SealedBus(bus, { secret: ownSecret, clock: { now: () => time }, warnings: new RareWarnings() });
}

beforeEach(async () => {
  time = Date.UTC(2026, 0, 1);
  bus = new PublicBus();
  lines = [];
  listener.mockReset();
  secret.mockReset().mockResolvedValue('kept in the store');
  jest.spyOn(Logger.prototype, 'warn').mockImplementation((line: string) => void lines.push(line));
  await busOf().subscribe('news', listener);
});
afterEach(() => void jest.restoreAllMocks());

/** Sends a message and returns it as it was sent. */
async function send(message: string, channel = 'news'): Promise<{ channel: string; text: string }> {
  await busOf().publish(channel, message);
  return bus.sent.at(-1)!;
}

describe('a message', () => {
  it.each(['', 'a marker', 'ä:𝟚', '{"ids":["q.1"]}', 'x'.repeat(5_800)])(
    'reaches the processes that read the same secret, and shows nothing to others: %j',
    async (message) => {
      const { channel, text } = await send(message);
      expect(listener.mock.calls).toEqual([[message]]);
      expect(channel).not.toContain('news');
      if (message !== '') expect(Buffer.from(text, 'base64').toString('latin1')).not.toContain(message);
      expect(lines).toEqual([]);
    },
  );

  it('of the largest size fits into a message of the public bus', async () => {
    const { text } = await send('x'.repeat(busOf().largestMessage));
    expect(text.length).toBeLessThanOrEqual(bus.largestMessage);
    expect(text.length).toBeGreaterThan(bus.largestMessage - 10);
  });

  it('is never sent twice as the same text', async () => {
    expect((await send('hello')).text).not.toBe((await send('hello')).text);
  });

  it('of a process with another secret is on another channel, and is not accepted on this one', async () => {
    const { channel } = await send('hello');
    const other = busOf(async () => 'guessed');
    await other.publish('news', 'forged');
    const forged = bus.sent.at(-1)!;
    expect(forged.channel).not.toBe(channel);
    await bus.publish(channel, forged.text);
    expect(listener.mock.calls).toEqual([['hello']]);
    expect(lines).toEqual([expect.stringContaining('it has no valid proof')]);
  });
});

describe('a message that nobody of this application sent now is dropped:', () => {
  it('any text', async () => {
    const { channel, text } = await send('hello');
    const texts = [
      '',
      'hello',
      '{"ids":["q.1"]}',
      'AAAA',
      'A'.repeat(7_900),
      text.slice(4),
      text.slice(0, -4),
      `A${text}`,
    ];
    for (const other of texts) await bus.publish(channel, other);
    expect(listener).toHaveBeenCalledTimes(1);
    expect(lines).toHaveLength(1);
  });

  it('one with any changed byte', async () => {
    const { channel, text } = await send('hello');
    const bytes = Buffer.from(text, 'base64');
    for (let index = 0; index < bytes.length; index++) {
      const changed = Buffer.from(bytes);
      changed[index]! ^= 1;
      await bus.publish(channel, changed.toString('base64'));
    }
    expect(listener).toHaveBeenCalledTimes(1);
  });

  it('one that was sent on another channel', async () => {
    const { channel } = await send('hello');
    const { text } = await send('elsewhere', 'other news');
    await bus.publish(channel, text);
    expect(listener.mock.calls).toEqual([['hello']]);
  });

  it.each([0, 1, 59_000, 61_000, 119_000, 600_000])('one that is played again after %d ms', async (later) => {
    const { channel, text } = await send('hello');
    time += later;
    // The same bytes as another text.
    for (const again of [text, `${text}\n`, text.replaceAll('=', '')]) await bus.publish(channel, again);
    await send('later');
    await bus.publish(channel, text);
    expect(listener.mock.calls).toEqual([['hello'], ['later']]);
    expect(lines[0]).toMatch(later > MINUTE ? /older than a minute/ : /sent a second time/);
  });

  it('one of a sender whose clock is behind or ahead by more than a minute, until it is corrected', async () => {
    for (const difference of [-MINUTE - 1, MINUTE + 1, -MINUTE, MINUTE]) {
      const sender = new SealedBus(bus, {
        secret,
        clock: { now: () => time + difference },
        warnings: new RareWarnings(),
      });
      await sender.publish('news', `${difference}`);
    }
    expect(listener.mock.calls).toEqual([['-60000'], ['60000']]);
  });
});

it('the secret is read once, and again after it could not be read', async () => {
  const sealed = busOf();
  secret.mockRejectedValueOnce(new Error('no answer'));
  const calls = secret.mock.calls.length;
  await expect(sealed.publish('news', 'lost')).rejects.toThrow('no answer');
  await Promise.all(['a', 'b'].map((message) => sealed.publish('news', message)));
  expect(listener.mock.calls.flat()).toEqual(['a', 'b']);
  expect(secret.mock.calls.length).toBe(calls + 2);
});
