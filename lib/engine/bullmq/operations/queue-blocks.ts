import type { Queue } from 'bullmq';
import type { BlockPort, QueueBlock } from '../../ports/block-port.js';
import type { Availability } from '../availability.js';

/** Reads from BullMQ's own settings and counters what keeps workers from starting tasks. */
export class QueueBlocks implements BlockPort {
  constructor(
    private readonly availability: Availability,
    private readonly queueNamed: (name: string) => Queue,
  ) {}

  blockOf(queue: string, maxStarts: number | undefined): Promise<QueueBlock> {
    return this.availability.withRetries('find', async () => {
      const backend = this.queueNamed(queue).getBackend();
      // All at once, so that they take the time of one round trip.
      const [[paused, storedMax], isMaxed, ofStored, ofDeclared] = await Promise.all([
        backend.getQueueMetaFields(['paused', 'max']),
        backend.isMaxed(),
        backend.getRateLimitTtl(),
        maxStarts === undefined ? 0 : backend.getRateLimitTtl(maxStarts),
      ]);
      // Without a limit, BullMQ gives the time of the window, in which anything may start.
      const limitedFor = storedMax === null || storedMax === undefined ? ofDeclared : ofStored;
      return { isPaused: (paused ?? null) !== null, isMaxed, limitedFor: Math.max(limitedFor, 0) };
    });
  }
}
