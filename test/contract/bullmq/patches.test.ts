import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Redis } from 'ioredis';
import { Task } from 'nestjs-task-queue';
import { boot, type Booted } from '../../support/boot.js';

@Injectable()
class Sums {
  @Task()
  async add(a: number, b: number): Promise<number> {
    return a + b;
  }
}

/** Redis alone: docs/upstream.md lists what is changed there in BullMQ's backend. */
describe('the patched Redis backend', () => {
  const url = process.env['TEST_REDIS_URL'] as string;
  const prefix = `patches_${process.pid}`;
  let monitor: Redis;
  let worker: Booted;
  const commands: string[][] = [];

  beforeAll(async () => {
    // `monitor()` answers with a client of its own.
    const client = new Redis(url);
    monitor = await client.monitor();
    client.disconnect();
    monitor.on('monitor', (_time: string, command: string[]) => commands.push(command));
    worker = await boot({ connection: url, prefix }, [Sums]);
  });
  afterAll(async () => {
    await worker.app.close();
    monitor.disconnect();
    const client = new Redis(url);
    const keys = await client.keys(`${prefix}:*`);
    if (keys.length > 0) await client.unlink(keys);
    await client.quit();
  });

  it('a worker whose next job is due in a minute waits for at most five seconds in one command', async () => {
    const { add } = worker.queue.of(Sums);
    await add.with({ delay: '1m' }).enqueue(1, 2);
    commands.length = 0;
    // The worker learns of the delayed job when it has ended another.
    await (await add.enqueue(3, 4)).result({ timeout: '10s' });
    expect(Math.max(...(await blockingWaits()))).toBe(5);
  });

  /** The time limits, in seconds, of the commands in which the worker waits. */
  async function blockingWaits(): Promise<number[]> {
    for (;;) {
      const waits = commands
        .filter(([name, key]) => name?.toLowerCase() === 'bzpopmin' && key?.startsWith(`${prefix}:`))
        .map((command) => Number(command.at(-1)));
      if (waits.length > 0) return waits;
      await new Promise<void>((resolve) => monitor.once('monitor', () => resolve()));
    }
  }
});
