import { Logger } from '@nestjs/common';
import type { Engine } from '../engine/engine.js';
import type { Consumer, ConsumerOptions, DeliveryHandler } from '../engine/ports/worker-port.js';

export interface TaskWorkersDeps {
  readonly engine: Engine;
  readonly handler: DeliveryHandler;
  /** The queues that this process runs. */
  readonly queues: () => ReadonlyMap<string, ConsumerOptions>;
  /** Milliseconds that running tasks may go on after the application begins to close. */
  readonly grace: number;
}

/**
 * Starts the consumers of this process when the application is ready, and stops them before anything that tasks use
 * closes.
 */
export class TaskWorkers {
  private readonly logger = new Logger('TaskQueue');
  private readonly consumers: Consumer[] = [];

  constructor(private readonly deps: TaskWorkersDeps) {}

  /** @throws ConfigurationError when another attempt cannot help */
  async start(): Promise<void> {
    const { engine, handler } = this.deps;
    const queues = this.deps.queues();
    for (const [queue, options] of queues) this.consumers.push(engine.consume(queue, options, handler));
    try {
      await Promise.all(this.consumers.map(({ started }) => started));
    } catch (error) {
      // Nest calls no shutdown hook of an application that did not boot.
      await engine.close();
      throw error;
    }
    if (queues.size > 0) this.logger.log(`Running the queues ${[...queues.keys()].join(', ')}.`);
  }

  async stop(): Promise<void> {
    await Promise.all(this.consumers.map((consumer) => consumer.stop(this.deps.grace)));
  }
}
