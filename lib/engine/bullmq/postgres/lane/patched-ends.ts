import type { Job, PostgresQueueBackend, WorkerOptions } from 'bullmq';
import { Lane, type LaneDeps } from './lane.js';

/** The fields of BullMQ's backend that say what it does. They are not public. */
interface Inside {
  readonly queueName: string;
  readonly opts: Pick<WorkerOptions, 'lockDuration' | 'limiter' | 'metrics' | 'name' | 'removeOnComplete'>;
  readonly closing?: Promise<void>;
}

export type EndsDeps = Pick<LaneDeps, 'query' | 'isOutage' | 'clockDifference' | 'laneSwitch'>;

/**
 * Makes a worker store the ends of jobs that succeeded together, see {@link Lane}. By itself, BullMQ calls one function with some
 * fifteen statements, and commits, for each job. The jobs that need more than a plain end still go that way.
 */
export function storeEndsTogether(backend: PostgresQueueBackend, deps: EndsDeps): PostgresQueueBackend {
  const inside = backend as unknown as Inside;
  const { queueName: queue, opts } = inside;
  // BullMQ counts what a worker with a limiter takes, and what a worker with metrics ends.
  if (opts.limiter || opts.metrics || opts.removeOnComplete) return backend;
  const moveToCompleted = backend.moveToCompleted.bind(backend);
  const moveToActive = backend.moveToActive.bind(backend);
  const lane = new Lane({
    ...deps,
    queue,
    worker: opts.name ?? null,
    lockDuration: opts.lockDuration ?? 30_000,
    takeAlone: (token) => moveToActive(token, opts.name),
  });
  backend.moveToCompleted = (job, value, keep, token, fetchNext) => {
    const storeAlone = () => moveToCompleted(job, value, keep, token, fetchNext);
    if (keep || !isPlain(job) || !deps.laneSwitch.isOn(queue)) return storeAlone();
    return lane.end({
      id: job.id as string,
      token,
      result: JSON.stringify(value ?? null),
      finishedOn: Date.now(),
      wantsNext: fetchNext && !inside.closing,
      storeAlone,
    });
  };
  return backend;
}

/** Whether this process knows of nothing that the end of the job has to change but the job itself. The statement checks it again. */
function isPlain({ parent, parentKey, deduplicationId, repeatJobKey }: Partial<Job>): boolean {
  return (parent ?? parentKey ?? deduplicationId ?? repeatJobKey) === undefined;
}
