import type { AttemptRecord } from '../attempt.js';
import type { TaskChange } from '../ports/event-port.js';
import type { Delivery, DeliveryHandler, Outcome } from '../ports/worker-port.js';
import type { CallOptions, TaskCall, TaskRecord, TaskTree } from '../task.js';

/** Milliseconds. Clocks that differ by less count as the same. */
const TOLERATED = 250;

/**
 * Converts times between the clock of the store, by which this package computes when a task is due or expires, and the clock of one shard,
 * by which its engine decides that. The servers of the shards may be on hosts whose clocks differ.
 */
export class ShardTimes {
  constructor(
    private readonly storeNow: () => number,
    private readonly shardNow: () => number,
  ) {}

  /** Milliseconds by which the clock of the shard is ahead of that of the store. */
  get ahead(): number {
    const ahead = Math.round(this.shardNow() - this.storeNow());
    return Math.abs(ahead) < TOLERATED ? 0 : ahead;
  }

  /** A call as the shard has to store it. */
  toShard<C extends TaskCall>(call: C): C {
    const { ahead } = this;
    return ahead === 0 ? call : { ...call, options: moved(call.options, ahead) };
  }

  /** The same for a tree with all its members. */
  treeToShard(tree: TaskTree): TaskTree {
    const { ahead } = this;
    return ahead === 0 ? tree : movedTree(tree, ahead);
  }

  timeToShard(time: number): number {
    return time + this.ahead;
  }

  toStore<T extends number | null>(time: T): T {
    return time === null ? time : ((time - this.ahead) as T);
  }

  /** What the shard reports of a task. */
  recordToStore(record: TaskRecord): TaskRecord {
    const { ahead } = this;
    if (ahead === 0) return record;
    const back = (time: number | null) => (time === null ? null : time - ahead);
    return {
      ...record,
      enqueuedAt: record.enqueuedAt - ahead,
      startedAt: back(record.startedAt),
      finishedAt: back(record.finishedAt),
      expiresAt: back(record.expiresAt),
    };
  }

  changeToStore(change: TaskChange): TaskChange {
    const { ahead } = this;
    if (ahead === 0) return change;
    const { record, dueAt, at } = change;
    return { ...change, record: this.recordToStore(record), dueAt: dueAt - ahead, at: at - ahead };
  }

  attemptToStore(attempt: AttemptRecord): AttemptRecord {
    return { ...attempt, startedAt: this.toStore(attempt.startedAt), endedAt: this.toStore(attempt.endedAt) };
  }

  /** A handler for the deliveries of the shard. */
  handlerFor(handler: DeliveryHandler): DeliveryHandler {
    return {
      handle: (delivery) =>
        this.ahead === 0
          ? handler.handle(delivery)
          : handler.handle(this.deliveryToStore(delivery)).then((outcome) => this.outcomeToShard(outcome)),
    };
  }

  private deliveryToStore(delivery: Delivery): Delivery {
    const { ahead } = this;
    return { ...delivery, options: moved(delivery.options, -ahead), enqueuedAt: delivery.enqueuedAt - ahead };
  }

  private outcomeToShard(outcome: Outcome): Outcome {
    if (outcome.kind !== 'waiting') return outcome;
    return { ...outcome, members: outcome.members.map((member) => this.treeToShard(member)) };
  }
}

function movedTree(tree: TaskTree, by: number): TaskTree {
  return {
    ...tree,
    options: moved(tree.options, by),
    members: tree.members.map((member) => movedTree(member, by)),
  };
}

function moved(options: CallOptions, by: number): CallOptions {
  const { startAt, expiresAt } = options;
  if (startAt === undefined && expiresAt === undefined) return options;
  return {
    ...options,
    ...(startAt !== undefined && { startAt: startAt + by }),
    ...(expiresAt !== undefined && { expiresAt: expiresAt + by }),
  };
}
