import { describe, expect, it } from '@jest/globals';
import { repairKeyTypes } from '../../../../../lib/engine/bullmq/redis/patched-key-types.js';
import type { RedisClient } from '../../../../../lib/engine/bullmq/redis/client-options.js';

interface Command {
  readonly name: string;
  readonly args: readonly string[];
  readonly promise: Promise<unknown>;
}

/** A client whose commands end as the test says. */
function clientOf() {
  const sent: unknown[] = [];
  const client = {
    sendCommand: ({ promise }: Command) => promise,
    del: async (key: string) => sent.push(['del', key]),
    call: async (...parts: string[]) => {
      sent.push(parts);
      return 'repaired';
    },
  };
  const removed: string[] = [];
  repairKeyTypes(client as unknown as RedisClient, (key) => void removed.push(key));
  return { client, sent, removed };
}

function failing(name: string, key: string, error: Error): Command {
  const promise = Promise.reject(error);
  // The caller of a command handles the promise that it gets.
  promise.catch(() => undefined);
  return { name, args: [key, 'field'], promise };
}

const WRONG_TYPE = new Error('WRONGTYPE Operation against a key holding the wrong kind of value');

describe('a client that repairs keys', () => {
  it('removes a key of another type and sends the command once more', async () => {
    const { client, sent, removed } = clientOf();
    expect(await client.sendCommand(failing('hget', 'task-queue:mail:meta', WRONG_TYPE))).toBe('repaired');
    expect(removed).toEqual(['task-queue:mail:meta']);
    expect(sent).toEqual([
      ['del', 'task-queue:mail:meta'],
      ['hget', 'task-queue:mail:meta', 'field'],
    ]);
  });

  it.each([
    ['another error', failing('hget', 'task-queue:mail:meta', new Error('ERR'))],
    ['another key', failing('hget', 'task-queue:mail:1', WRONG_TYPE)],
    ['another command', failing('lpush', 'task-queue:mail:meta', WRONG_TYPE)],
  ])('leaves alone %s', async (_, command) => {
    const { client, removed } = clientOf();
    await expect(client.sendCommand(command)).rejects.toThrow(/^(?:ERR|WRONGTYPE)/);
    expect(removed).toEqual([]);
  });

  it('makes no further promise for a command that ioredis sends again, because nothing would handle its rejection', async () => {
    const { client, removed } = clientOf();
    const again = failing('hget', 'task-queue:mail:meta', WRONG_TYPE);
    await client.sendCommand(again);
    expect(client.sendCommand(again)).toBe(again.promise);
    expect(removed).toHaveLength(1);
  });
});
