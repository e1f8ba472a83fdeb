import { parseTimerDuration, type Duration } from '../duration.js';
import type { Engine } from '../engine/engine.js';
import { isAlive } from '../engine/ports/worker-registry.js';
import { ConfigurationError, InvalidArgumentsError, WorkerNotFoundError } from '../errors.js';
import type { ActOptions } from './act-options.js';
import type { AdminActs } from './admin-acts.js';

export interface ShutdownOptions extends ActOptions {
  /** How long running tasks may go on there. Default: the option `shutdown.grace` of the worker. */
  readonly grace?: Duration;
}

export interface WorkerShutdownDeps {
  readonly engine: Pick<Engine, 'workers' | 'now'>;
  readonly acts: AdminActs;
}

/** Asks workers to shut down. */
export class WorkerShutdown {
  constructor(private readonly deps: WorkerShutdownDeps) {}

  async request(id: string, { grace, ...options }: ShutdownOptions): Promise<void> {
    const { acts, engine } = this.deps;
    await acts.perform(
      { act: 'shutdown', worker: id, ...(grace !== undefined && { value: { grace } }) },
      options,
      async ({ by, reason }) => {
        const checked = grace === undefined ? undefined : checkGrace(grace);
        if (typeof id !== 'string') throw new InvalidArgumentsError('workerId is no text. Give the id of a worker.');
        const worker = (await engine.workers.list()).find((each) => each.id === id);
        if (!worker)
          throw new WorkerNotFoundError(id, 'there is no worker with this id. It has ended, or the id is wrong.');
        if (!isAlive(worker, engine.now())) {
          const since = new Date(worker.seenAt).toISOString();
          throw new WorkerNotFoundError(
            id,
            `it is lost: it gave its last sign of life at ${since}, on ${worker.host} as process ${worker.pid}.`,
          );
        }
        await engine.workers.requestShutdown(id, { by, reason, grace: checked });
      },
    );
  }
}

function checkGrace(grace: Duration): number {
  try {
    return parseTimerDuration(grace, 'grace');
  } catch (error) {
    if (error instanceof ConfigurationError) throw new InvalidArgumentsError(error.message);
    throw error;
  }
}
