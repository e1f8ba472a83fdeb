import type { Queue } from 'bullmq';
import type { Driver } from './driver.js';

/** BullMQ's objects for the queues, each made when it is needed first. */
export class Queues {
  private readonly known = new Map<string, Queue>();
  /** The queues whose connections are ready. */
  private readonly connected = new WeakSet<Queue>();

  constructor(
    private readonly driver: Pick<Driver, 'createQueue'>,
    /** Called once with each object. */
    private readonly onCreated: (queue: Queue) => void,
  ) {}

  named(name: string): Queue {
    let queue = this.known.get(name);
    if (!queue) {
      queue = this.driver.createQueue(name);
      this.onCreated(queue);
      this.known.set(name, queue);
    }
    return queue;
  }

  /** The same with a connection that is ready. */
  ready(name: string): Queue | Promise<Queue> {
    const queue = this.named(name);
    return this.connected.has(queue) ? queue : this.whenReady(name, queue);
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.known.values()].map((queue) => queue.close()));
  }

  private async whenReady(name: string, queue: Queue): Promise<Queue> {
    try {
      await queue.waitUntilReady();
      this.connected.add(queue);
      return queue;
    } catch (error) {
      // A queue whose connection failed at its start stays broken; the next attempt makes another.
      this.known.delete(name);
      throw error;
    }
  }
}
