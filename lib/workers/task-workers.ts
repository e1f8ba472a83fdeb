import { Logger } from '@nestjs/common';
import type { Consumer, ConsumerOptions, Engine } from '../engine/engine.js';
import type { WorkflowRunner } from '../workflows/workflow-runner.js';

/** The consumers of this process: started once the application is ready, stopped before anything it uses closes. */
export class TaskWorkers {
  private readonly logger = new Logger('TaskQueue');
  private readonly consumers: Consumer[] = [];

  constructor(
    private readonly engine: Engine,
    private readonly runner: WorkflowRunner,
    /** The queues to run, with what each consumer is told. */
    private readonly queues: () => ReadonlyMap<string, ConsumerOptions>,
    /** How long running tasks may go on once the application closes, in milliseconds. */
    private readonly grace: number,
  ) {}

  /** @throws ConfigurationError when the engine refuses for good */
  async start(): Promise<void> {
    const queues = this.queues();
    for (const [queue, options] of queues) {
      this.consumers.push(this.engine.consume(queue, options, (delivery) => this.runner.run(delivery)));
    }
    try {
      await Promise.all(this.consumers.map(({ started }) => started));
    } catch (error) {
      // Nobody closes an application that did not boot.
      await this.engine.close();
      throw error;
    }
    if (queues.size > 0) this.logger.log(`Running the queues ${[...queues.keys()].join(', ')}.`);
  }

  async stop(): Promise<void> {
    await Promise.all(this.consumers.map((consumer) => consumer.stop(this.grace)));
  }
}
