import { describe, expect, it } from '@jest/globals';
import type { WorkerRecord } from '../../lib/engine/ports/worker-registry.js';
import { BoundedReads } from '../../lib/bounded-reads.js';
import { problemElsewhere, problemHere } from '../../lib/workers/consumption.js';
import { Gate } from '../support/gate.js';

describe('whether a queue is consumed', () => {
  const NOW = 1_000_000;
  const worker = (queues: string[], silentQueues: string[] = [], seenAt = NOW) =>
    ({ queues, seenAt, load: { silentQueues } }) as unknown as WorkerRecord;

  it.each([
    ['nothing', [], 'No live worker takes tasks from this queue.'],
    ['a worker of another queue', [worker(['reports'])], 'No live worker takes tasks from this queue.'],
    ['a worker that was lost', [worker(['mail'], [], 0)], 'No live worker takes tasks from this queue.'],
    [
      'a worker that takes nothing',
      [worker(['mail'], ['mail'])],
      'The queue has 1 live worker, and none takes tasks from it.',
    ],
    ['one of two that takes tasks', [worker(['mail'], ['mail']), worker(['mail'])], undefined],
    ['a worker of an earlier version', [{ queues: ['mail'], seenAt: NOW } as unknown as WorkerRecord], undefined],
  ])('elsewhere: %s', (_, workers, problem) => {
    expect(problemElsewhere('mail', workers, NOW)).toBe(problem);
  });

  it('here: an answer of the engine in time', () => {
    expect(problemHere(10, 10)).toBeUndefined();
    expect(problemHere(45_400, 30_000)).toBe('No request of this process for a task has succeeded for 45 s.');
    expect(problemHere(Infinity, 30_000)).toBe('This process does not take tasks.');
  });
});

describe('BoundedReads', () => {
  it('does not wait longer than its limit, and shares a reading that goes on', async () => {
    const gate = new Gate();
    let reads = 0;
    const reader = new BoundedReads();
    const read = () => reader.read('a', 5, async () => (reads++, await gate.opened, 'answer'));
    await expect(read()).rejects.toThrow('The engine did not answer within 5 ms.');
    await expect(read()).rejects.toThrow('The engine did not answer within 5 ms.');
    gate.open();
    await expect(reader.read('a', 5_000, async () => 'never read')).resolves.toBe('answer');
    await expect(read()).resolves.toBe('answer');
    expect(reads).toBe(2);
  });
});
