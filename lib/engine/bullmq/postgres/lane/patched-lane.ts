import type { PostgresQueueBackend, Worker, WorkerOptions } from 'bullmq';
import { storeTogether, takeTogether } from '../../lane/in-lane.js';
import { freePlaces, handOver } from '../../lane/patched-places.js';
import { TakenAhead } from '../../lane/taken-ahead.js';
import type { IdleWorkers } from '../../idle-workers.js';
import { EarlyRequest } from '../../patched-early-request.js';
import type { IdleWorker } from '../patched-add-job.js';
import { NotificationWait } from '../notification-wait.js';
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
  readonly idle: Pick<IdleWorkers<IdleWorker>, 'add'>;
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
  const [name, lockDuration] = [opts.name ?? null, opts.lockDuration ?? 30_000];
  const lane = new Lane({
    ...deps,
    queue,
    worker: name,
    lockDuration,
    takeAlone: (token) => moveToActive(token, opts.name),
  });
  const ahead = new TakenAhead((id, token) => backend.moveJobFromActiveToWait(id, token));
  storeTogether(backend, lane, {
    isOn: () => deps.laneSwitch.isOn(queue),
    isClosing: () => inside.closing !== undefined,
  });
  takeTogether(backend, lane, ahead, () => (deps.laneSwitch.isOn(queue) ? freePlaces(worker) : 0), deps.runsBatches);
  if (!deps.runsBatches) {
    const early = new EarlyRequest(backend, new NotificationWait(backend));
    early.watch(worker);
    deps.idle.add(queue, backend, { early, name, lockDuration });
  }
  patch(backend);
  handOver(backend, ahead);
}
