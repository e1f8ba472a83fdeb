import type { ControlPort, QueueSettings, RateLimit, Reason } from '../ports/control-port.js';
import type { ShardReach } from './shard-reach.js';
import type { ShardedLists } from './sharded-lists.js';

/** The settings of each queue, in its shard. */
export class ShardedControl implements ControlPort {
  constructor(
    private readonly reach: ShardReach,
    private readonly lists: ShardedLists,
  ) {}

  settings(queues: readonly string[]): Promise<(QueueSettings | undefined)[]> {
    return this.lists.ofQueues(queues, (shard, names) => this.reach.engines.get(shard)?.control.settings(names));
  }

  pause(queue: string, reason: Reason): Promise<void> {
    return this.of(queue).pause(queue, reason);
  }

  resume(queue: string): Promise<void> {
    return this.of(queue).resume(queue);
  }

  setGlobalConcurrency(queue: string, value: number | null, reason: Reason): Promise<void> {
    return this.of(queue).setGlobalConcurrency(queue, value, reason);
  }

  declareGlobalConcurrency(queue: string, value: number | null, countsRuns: boolean): Promise<void> {
    return this.of(queue).declareGlobalConcurrency(queue, value, countsRuns);
  }

  setRateLimit(queue: string, limit: RateLimit | null, reason: Reason): Promise<void> {
    return this.of(queue).setRateLimit(queue, limit, reason);
  }

  private of(queue: string): ControlPort {
    return this.reach.of(queue).control;
  }
}
