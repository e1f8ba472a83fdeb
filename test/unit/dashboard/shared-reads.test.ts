import { describe, expect, it } from '@jest/globals';
import { SharedReads } from '../../../lib/dashboard/shared-reads.js';

const FRESH = 1_000;
const RECENT = 5_000;

/** Reads of a store, by a clock that the test moves. */
function start() {
  const clock = { now: 0 };
  const reads: { resolve(answer: string): void; reject(error: Error): void }[] = [];
  const read = () => new Promise<string>((resolve, reject) => void reads.push({ resolve, reject }));
  return { clock, reads, read, shared: new SharedReads(FRESH, () => clock.now) };
}

describe('reads that requests share', () => {
  it('are one while they run and while their answer is fresh', async () => {
    const { clock, reads, read, shared } = start();
    const first = shared.get('queues', read);
    expect(shared.get('queues', read)).toBe(first);
    reads[0]?.resolve('a');
    clock.now = FRESH - 1;
    await expect(shared.get('queues', read)).resolves.toBe('a');
    clock.now = FRESH;
    expect(shared.get('queues', read)).not.toBe(first);
    expect(reads.length).toBe(2);
  });

  it('are tried again after a failure', async () => {
    const { reads, read, shared } = start();
    const first = shared.get('queues', read);
    reads[0]?.reject(new Error('down'));
    await expect(first).rejects.toThrow('down');
    void shared.get('queues', read);
    expect(reads.length).toBe(2);
  });
});

describe('a recent answer', () => {
  it('comes at once, while the next is read', async () => {
    const { clock, reads, read, shared } = start();
    const first = shared.recent('queues', read, RECENT);
    reads[0]?.resolve('a');
    await expect(first).resolves.toBe('a');
    clock.now = FRESH;
    await expect(shared.recent('queues', read, RECENT)).resolves.toBe('a');
    expect(reads.length).toBe(2);
    // The next is still read: nobody reads it a third time, and the answer before it stays.
    await expect(shared.recent('queues', read, RECENT)).resolves.toBe('a');
    expect(reads.length).toBe(2);
    reads[1]?.resolve('b');
    await Promise.resolve();
    await expect(shared.recent('queues', read, RECENT)).resolves.toBe('b');
  });

  it('stays while later reads do not end, until it is too old', async () => {
    const { clock, reads, read, shared } = start();
    void shared.get('queues', read);
    reads[0]?.resolve('a');
    await Promise.resolve();
    for (clock.now = FRESH; clock.now < RECENT; clock.now += FRESH) {
      await expect(shared.recent('queues', read, RECENT)).resolves.toBe('a');
    }
    const late = shared.recent('queues', read, RECENT);
    reads.at(-1)?.resolve('b');
    await expect(late).resolves.toBe('b');
  });

  it('is not what was read before a change', async () => {
    const { clock, reads, read, shared } = start();
    void shared.get('queues', read);
    reads[0]?.resolve('a');
    await Promise.resolve();
    clock.now = FRESH;
    void shared.get('queues', read);
    shared.clear();
    reads[1]?.resolve('b');
    await Promise.resolve();
    const after = shared.recent('queues', read, RECENT);
    reads[2]?.resolve('c');
    await expect(after).resolves.toBe('c');
  });
});
