import type { Queue } from 'bullmq';
import type { BlockPort, QueueBlock } from '../../ports/block-port.js';
import type { RateLimit } from '../../ports/control-port.js';
import type { Availability } from '../availability.js';
import { arePlacesTaken, PLACE_FIELDS } from '../stored-places.js';

/** Reads from BullMQ's own settings and counters what keeps workers from starting tasks. */
export class QueueBlocks implements BlockPort {
  constructor(
    private readonly availability: Availability,
    private readonly queueNamed: (name: string) => Queue,
  ) {}

  blockOf(queue: string, declared: RateLimit | undefined): Promise<QueueBlock> {
    return this.availability.withRetries('find', async () => {
      const backend = this.queueNamed(queue).getBackend();
      // All at once, so that they take the time of one round trip.
      const [[paused, max, per, ...places], isMaxed, ofStored, ofDeclared] = await Promise.all([
        backend.getQueueMetaFields(['paused', 'max', 'duration', ...PLACE_FIELDS]),
        backend.isMaxed(),
        backend.getRateLimitTtl(),
        declared ? backend.getRateLimitTtl(declared.max) : 0,
      ]);
      const isStored = typeof max === 'string' && typeof per === 'string';
      return {
        isPaused: typeof paused === 'string',
        isMaxed: isMaxed || arePlacesTaken(places),
        // Without a limit, BullMQ gives the time of the window, in which anything may start.
        limitedFor: Math.max(isStored ? ofStored : ofDeclared, 0),
        limit: isStored ? { max: Number(max), per: Number(per) } : declared,
      };
    });
  }
}
