import { BoundedReads } from './bounded-reads.js';
import { consumedQueues } from './consumed-queues.js';
import { problemOfEngine } from './engine-problem.js';
import { describePlace } from './engine/describe-connection.js';
import type { Engine } from './engine/engine.js';
import type { Instrumentations } from './engine/instrumentation.js';
import { SILENCE_LIMIT } from './engine/ports/worker-registry.js';
import type { ResolvedOptions } from './task-queue-options.js';
import type { TaskRegistry } from './tasks/task-registry.js';
import { problemHere } from './workers/consumption.js';
import type { TaskWorkers } from './workers/task-workers.js';
import type { WorkerControl, WorkerSettings } from './workers/worker-process.js';

export interface WorkerControlDeps {
  readonly options: ResolvedOptions;
  readonly registry: TaskRegistry;
  readonly instrumentations: Pick<Instrumentations, 'add'>;
  readonly workers: Pick<TaskWorkers, 'running' | 'silence' | 'stop'>;
  readonly engine: Pick<Engine, 'ping'>;
}

/** Milliseconds within which the engine has to answer a ping. */
const PING_LIMIT = 2_000;

/**
 * What the command `worker` gets of an application that it has started.
 *
 * @param settings absent in a process that the command has not started, which counts nothing
 */
export function workerControl(
  { options, registry, instrumentations, workers, engine }: WorkerControlDeps,
  settings: WorkerSettings | undefined,
): WorkerControl {
  const { connection, prefix, grace } = options;
  const count = { attempts: 0, listener: (_attempts: number) => undefined as void };
  const reads = new BoundedReads();
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
    async problem() {
      const silent = [...workers.silence()].find(([, silence]) => silence > SILENCE_LIMIT);
      if (silent) return `Queue ${silent[0]}: ${problemHere(silent[1], SILENCE_LIMIT) ?? ''}`;
      try {
        await reads.read('ping', PING_LIMIT, () => engine.ping());
        return undefined;
      } catch (error) {
        const problem = problemOfEngine(error);
        if (problem === undefined) throw error;
        return problem;
      }
    },
    running: () => workers.running().length,
    onAttempt(listener) {
      count.listener = listener;
      listener(count.attempts);
    },
    stop: (limit) => workers.stop(limit),
  };
}
