import type { ShutdownRequest, WorkerRecord, WorkerRegistry } from '../ports/worker-registry.js';
import type { ShardReach } from './shard-reach.js';

/**
 * Milliseconds that the other shards have after the first answer. A start waits until the worker is published, and schedules for the list
 * of workers when the code has changed. Neither may wait for a shard that cannot be reached.
 */
const PATIENCE = 500;

/** Every worker is published in every shard, so an outage of one shard hides no worker. */
export class ShardedWorkers implements WorkerRegistry {
  constructor(private readonly reach: ShardReach) {}

  async publish(worker: Omit<WorkerRecord, 'seenAt'>): Promise<void> {
    await this.reach.askAll((engine) => engine.workers.publish(worker), PATIENCE);
  }

  /** The last sign of life counts, wherever it is stored. Each shard stores it by its own clock. */
  async list(): Promise<WorkerRecord[]> {
    const lists = await this.reach.askAll(async (engine, shard) => {
      const times = this.reach.timesOf(shard);
      return (await engine.workers.list()).map((worker) => ({ ...worker, seenAt: times.toStore(worker.seenAt) }));
    }, PATIENCE);
    const latest = new Map<string, WorkerRecord>();
    for (const worker of [...lists.values()].flat()) {
      const known = latest.get(worker.id);
      if (!known || known.seenAt < worker.seenAt) latest.set(worker.id, worker);
    }
    return [...latest.values()];
  }

  async withdraw(id: string): Promise<void> {
    await this.reach.askAll((engine) => engine.workers.withdraw(id));
  }

  async requestShutdown(id: string, request: ShutdownRequest): Promise<void> {
    await this.reach.askAll((engine) => engine.workers.requestShutdown(id, request));
  }

  async shutdownRequest(id: string): Promise<ShutdownRequest | undefined> {
    const requests = await this.reach.askAll((engine) => engine.workers.shutdownRequest(id));
    return [...requests.values()].find((request) => request !== undefined);
  }

  follow(id: string, listener: () => void): () => void {
    const ends = Array.from(this.reach.engines.values(), (engine) => engine.workers.follow(id, listener));
    return () => {
      for (const end of ends) end();
    };
  }
}
