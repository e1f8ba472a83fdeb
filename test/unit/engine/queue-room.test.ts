import { describe, expect, it } from '@jest/globals';
import { QueueRoom } from '../../../lib/engine/queue-room.js';

/** A queue whose counts end when the test says so. */
class Queue {
  tasks = 0;
  private readonly counts: ((tasks: number) => void)[] = [];

  readonly count = (): Promise<number> => new Promise((resolve) => this.counts.push(resolve));

  /** Ends the oldest count, once it was asked for. */
  async answer(): Promise<void> {
    while (this.counts.length === 0) await new Promise(setImmediate);
    this.counts.shift()?.(this.tasks);
  }
}

/** Room of which one place is taken, while the count for the second one is under way. */
async function taking(max: number) {
  const queue = new Queue();
  const room = new QueueRoom(max, queue.count);
  const first = room.take(1);
  await queue.answer();
  return { queue, room, taken: await first, second: room.take(1) };
}

describe('QueueRoom', () => {
  it('takes a task once that is stored, and ends, while it is counted', async () => {
    const { queue, taken, second } = await taking(2);
    await new Promise(setImmediate);
    queue.tasks = 1;
    taken?.end();
    await queue.answer();
    await queue.answer();
    expect(await second).toBeDefined();
  });

  it('takes a task once that is stored while it is counted, and ends later', async () => {
    const { queue, taken, second } = await taking(2);
    queue.tasks = 1;
    await queue.answer();
    taken?.end();
    await queue.answer();
    expect(await second).toBeDefined();
  });

  it('refuses more than its limit when what is stored is counted', async () => {
    const { queue, room, taken, second } = await taking(1);
    queue.tasks = 1;
    await queue.answer();
    taken?.end();
    await queue.answer();
    expect(await second).toBeUndefined();
    expect(room.queued).toBe(1);
  });
});
