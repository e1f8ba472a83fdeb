import type { Job, PostgresQueueBackend, Worker, WorkerOptions } from 'bullmq';
import { freePlaces, handOver } from '../../lane/patched-places.js';
import { RunUp } from '../../lane/run-up.js';
import { TakenAhead, type NextJob } from '../../lane/taken-ahead.js';
import { Lane, type LaneDeps } from './lane.js';

/** The fields of BullMQ's backend that say what it does. They are not public. */
interface Inside {
  readonly queueName: string;
  readonly opts: Pick<WorkerOptions, 'lockDuration' | 'limiter' | 'metrics' | 'name' | 'removeOnComplete'>;
  readonly closing?: Promise<void>;
}

export type UseLaneDeps = Pick<LaneDeps, 'query' | 'isOutage' | 'clockDifference' | 'laneSwitch'>;

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
  storeTogether(backend, lane, { isOn: () => deps.laneSwitch.isOn(queue), inside });
  takeTogether(backend, lane, ahead, () => (deps.laneSwitch.isOn(queue) ? freePlaces(worker) : 0));
  patch(backend);
  handOver(backend, ahead);
}

function storeTogether(
  backend: PostgresQueueBackend,
  lane: Lane,
  { isOn, inside }: { isOn: () => boolean; inside: Inside },
): void {
  const moveToCompleted = backend.moveToCompleted.bind(backend);
  backend.moveToCompleted = (job, value, keep, token, fetchNext) => {
    const storeAlone = () => moveToCompleted(job, value, keep, token, fetchNext);
    if (keep || !isPlain(job) || !isOn()) return storeAlone();
    return lane.end({
      id: job.id as string,
      token,
      result: JSON.stringify(value ?? null),
      finishedOn: Date.now(),
      wantsNext: fetchNext && !inside.closing,
      storeAlone,
    });
  };
}

/** Whether this process knows of nothing that the end of the job has to change but the job itself. The statement checks it again. */
function isPlain({ parent, parentKey, deduplicationId, repeatJobKey }: Partial<Job>): boolean {
  return (parent ?? parentKey ?? deduplicationId ?? repeatJobKey) === undefined;
}

function takeTogether(backend: PostgresQueueBackend, lane: Lane, ahead: TakenAhead, free: () => number): void {
  const moveToActive = backend.moveToActive.bind(backend);
  const runUp = new RunUp();
  const takeAlone = async (token: string, name: string | undefined): Promise<NextJob> => {
    const next = await moveToActive(token, name);
    runUp.took(next[0] ? 1 : 0);
    return next;
  };
  backend.moveToActive = async (token, name) => {
    const tokens = runUp.tokens(token, free());
    if (tokens.length === 1) return takeAlone(token, name);
    const { jobs, none } = await lane.take(tokens);
    const taken = tokens.filter((one) => jobs.has(one));
    runUp.took(taken.length);
    for (const one of taken) if (one !== token) ahead.add(one, jobs.get(one) as NextJob);
    return jobs.get(token) ?? none ?? takeAlone(token, name);
  };
}
