import type { PostgresQueueBackend, Worker, WorkerOptions } from 'bullmq';
import { storeTogether, takeTogether } from '../../lane/in-lane.js';
import { freePlaces, handOver } from '../../lane/patched-places.js';
import { TakenAhead } from '../../lane/taken-ahead.js';
import { Lane, type LaneDeps } from './lane.js';

/** The fields of BullMQ's backend that say what it does. They are not public. */
interface Inside {
  readonly queueName: string;
  readonly opts: Pick<WorkerOptions, 'lockDuration' | 'limiter' | 'metrics' | 'name' | 'removeOnComplete'>;
  readonly closing?: Promise<void>;
}

export interface UseLaneDeps extends Pick<
  LaneDeps,
  'query' | 'isPlanned' | 'ends' | 'isOutage' | 'clockDifference' | 'laneSwitch'
> {
  readonly runsBatches: boolean | undefined;
}

/**
 * Makes a worker store the ends of jobs that succeeded together, and take many jobs at once, see {@link Lane}. By itself, BullMQ
 * calls one function with some fifteen statements, and commits, for each job. The jobs that need more than a plain end still go
 * that way.
 *
 * @param patch the further changes of the backend. They are to see each job as if the worker had taken it alone
 */
export function useLane(worker: Worker, deps: UseLaneDeps, patch: (backend: PostgresQueueBackend) => void): void {
  const backend = worker.getBackend() as unknown as PostgresQueueBackend;
  const inside = backend as unknown as Inside;
  const { queueName: queue, opts } = inside;
  // BullMQ counts what a worker with a limiter takes, and what a worker with metrics ends.
  if (opts.limiter || opts.metrics || opts.removeOnComplete) return patch(backend);
  const moveToActive = backend.moveToActive.bind(backend);
  const lane = new Lane({
    ...deps,
    queue,
    worker: opts.name ?? null,
    lockDuration: opts.lockDuration ?? 30_000,
    takeAlone: (token) => moveToActive(token, opts.name),
  });
  const ahead = new TakenAhead((id, token) => backend.moveJobFromActiveToWait(id, token));
  storeTogether(backend, lane, {
    isOn: () => deps.laneSwitch.isOn(queue),
    isClosing: () => inside.closing !== undefined,
  });
  takeTogether(backend, lane, ahead, () => (deps.laneSwitch.isOn(queue) ? freePlaces(worker) : 0), deps.runsBatches);
  patch(backend);
  handOver(backend, ahead);
}
