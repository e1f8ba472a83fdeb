import { ConfigurationError } from '../../errors.js';
import type { TransactionAdapter, TransactionEnqueue } from '../ports/transaction-port.js';
import type { Receipt, TaskCall, TaskTree } from '../task.js';
import type { ShardReach } from './shard-reach.js';

/** Stores each call in the transaction by the shard of its queue, if that shard is in a database that can take part. */
export class ShardedTransaction implements TransactionEnqueue {
  private constructor(
    private readonly reach: ShardReach,
    private readonly ports: ReadonlyMap<string, TransactionEnqueue>,
  ) {}

  /** @returns `undefined` when no shard is in a database that the application could have a transaction in */
  static of(reach: ShardReach, transaction: TransactionAdapter): ShardedTransaction | undefined {
    const ports = new Map<string, TransactionEnqueue>();
    for (const [shard, engine] of reach.engines) {
      const port = engine.enqueueIn(transaction);
      if (port) ports.set(shard, port);
    }
    return ports.size > 0 ? new ShardedTransaction(reach, ports) : undefined;
  }

  /** One statement for each shard, one after the other: the connection of a transaction runs no two at once. */
  async enqueue(calls: readonly TaskCall[]): Promise<Receipt[]> {
    const groups = this.reach.group(calls, ({ queue }) => queue);
    // Refused before the first statement.
    for (const group of groups.values()) this.portOf((group[0] as TaskCall).queue);
    const receipts = new Map<TaskCall, Receipt>();
    for (const [shard, group] of groups) {
      const times = this.reach.timesOf(shard);
      const own = group.map((call) => times.toShard(call));
      const stored = await this.portOf((group[0] as TaskCall).queue).enqueue(own);
      for (const [index, call] of group.entries()) receipts.set(call, stored[index] as Receipt);
    }
    return calls.map((call) => receipts.get(call) as Receipt);
  }

  enqueueTree(tree: TaskTree): Promise<Receipt> {
    const times = this.reach.timesOf(this.reach.topology.shardOf(tree.queue));
    return this.portOf(tree.queue).enqueueTree(times.treeToShard(tree));
  }

  isStored(call: TaskCall): Promise<boolean> {
    return this.portOf(call.queue).isStored(call);
  }

  async isOpen(): Promise<boolean> {
    const open = await Promise.all(Array.from(this.ports.values(), (port) => port.isOpen()));
    return open.includes(true);
  }

  private portOf(queue: string): TransactionEnqueue {
    const shard = this.reach.topology.shardOf(queue);
    const port = this.ports.get(shard);
    if (port) return port;
    throw new ConfigurationError(
      `The queue "${queue}" is in the shard ${shard}, which is not in a database that this process shares with its transactions, ` +
        'so .in(tx) needs an outbox for it: a table in the database of the transaction. Set the option outbox: { connection } of TaskQueueModule.forRoot().',
    );
  }
}
