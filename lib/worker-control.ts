import { consumedQueues } from './consumed-queues.js';
import { describePlace } from './engine/describe-connection.js';
import type { Instrumentations } from './engine/instrumentation.js';
import type { ResolvedOptions } from './task-queue-options.js';
import type { TaskRegistry } from './tasks/task-registry.js';
import type { TaskWorkers } from './workers/task-workers.js';
import type { WorkerControl, WorkerSettings } from './workers/worker-process.js';

export interface WorkerControlDeps {
  readonly options: ResolvedOptions;
  readonly registry: TaskRegistry;
  readonly instrumentations: Pick<Instrumentations, 'add'>;
  readonly workers: Pick<TaskWorkers, 'running' | 'stop'>;
}

/**
 * What the command `worker` gets of an application that it has started.
 *
 * @param settings absent in a process that the command has not started, which counts nothing
 */
export function workerControl(
  { options, registry, instrumentations, workers }: WorkerControlDeps,
  settings: WorkerSettings | undefined,
): WorkerControl {
  const { connection, prefix, grace } = options;
  const count = { attempts: 0, listener: (_attempts: number) => undefined as void };
  if (settings) {
    instrumentations.add({
      run(_delivery, next) {
        count.attempts += 1;
        count.listener(count.attempts);
        return next();
      },
    });
  }
  return {
    queues: () => [...consumedQueues(options, registry).keys()],
    place: describePlace(connection, prefix),
    grace,
    isExclusive: connection.kind === 'embedded' || connection.kind === 'memory',
    running: () => workers.running().length,
    onAttempt(listener) {
      count.listener = listener;
      listener(count.attempts);
    },
    stop: (limit) => workers.stop(limit),
  };
}
