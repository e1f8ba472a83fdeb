import type { Consumer, ConsumerOptions, DeliveryHandler } from '../../ports/worker-port.js';
import type { WorkerRecord } from '../../ports/worker-registry.js';
import { isInternalQueue, queueOfTask } from '../../task-id.js';
import type { Availability } from '../availability.js';
import type { QueueControl } from '../queue-control.js';
import { QueueConsumer, type QueueConsumerDeps } from './queue-consumer.js';
import { RunCounting } from './run-counting.js';

export interface ConsumersDeps extends QueueConsumerDeps {
  readonly availability: Pick<Availability, 'whenReachable'>;
  readonly control: Pick<QueueControl, 'declareGlobalConcurrency' | 'countRuns'>;
  /** The workers of a queue that run now, in all processes. */
  readonly workersOf: (queue: string) => Promise<readonly WorkerRecord[]>;
}

/** The consumers of this process: one for each of its queues, once the store can be reached. */
export class Consumers {
  private readonly started = new Map<string, QueueConsumer>();
  /** Of the queues whose tasks this process runs in batches. */
  private readonly runCountings = new Map<string, RunCounting>();

  constructor(private readonly deps: ConsumersDeps) {}

  consume(queue: string, options: ConsumerOptions, handler: DeliveryHandler): Consumer {
    const { availability, feed } = this.deps;
    let stopped = false;
    const startOnce = async () => {
      await feed.serve((id) => this.checkCancel(id));
      if (!stopped) await this.start(queue, options, handler);
    };
    return {
      started: availability.whenReachable(startOnce),
      running: () => this.get(queue)?.runningTasks() ?? [],
      silentFor: () => (stopped ? Infinity : (this.get(queue)?.silentFor() ?? Infinity)),
      stop: async (grace) => {
        stopped = true;
        this.runCountings.get(queue)?.stop();
        await this.get(queue)?.stop(grace);
      },
    };
  }

  get(queue: string): QueueConsumer | undefined {
    return this.started.get(queue);
  }

  async stop(): Promise<void> {
    for (const counting of this.runCountings.values()) counting.stop();
    await Promise.all([...this.started.values()].map((consumer) => consumer.stop(0)));
  }

  private async start(queue: string, options: ConsumerOptions, handler: DeliveryHandler): Promise<void> {
    const consumer = new QueueConsumer(queue, options, handler, this.deps);
    this.started.set(queue, consumer);
    try {
      if (!isInternalQueue(queue)) await this.declareGlobalConcurrency(queue, options);
      await consumer.start();
    } catch (error) {
      // A worker whose connection failed at its start stays broken; the next attempt makes another.
      await consumer.stop(0);
      throw error;
    }
  }

  private async declareGlobalConcurrency(queue: string, options: ConsumerOptions): Promise<void> {
    const { control, workersOf } = this.deps;
    const { globalConcurrency = null, countsRuns = false } = options;
    if (!countsRuns) return control.declareGlobalConcurrency(queue, globalConcurrency, false);
    this.runCountings.get(queue)?.stop();
    const counting = new RunCounting(queue, {
      workers: () => workersOf(queue),
      countRuns: (counts) => control.countRuns(queue, counts),
    });
    this.runCountings.set(queue, counting);
    await control.declareGlobalConcurrency(queue, globalConcurrency, await counting.canCountRuns());
    counting.start();
  }

  /** A message says that a caller of any process cancelled the task. The consumer that runs it reads the request. */
  private checkCancel(id: string): void {
    const queue = queueOfTask(id);
    if (queue !== undefined) this.get(queue)?.checkCancel(id);
  }
}
