import type { RedisQueueBackend, Worker, WorkerOptions } from 'bullmq';
import type { Clock } from '../../clock.js';
import type { EndMessages } from '../../driver.js';
import { storeTogether, takeTogether } from '../../lane/in-lane.js';
import { freePlaces, handOver } from '../../lane/patched-places.js';
import { TakenAhead, type NextJob } from '../../lane/taken-ahead.js';
import type { TakeJob } from '../../patched-early-request.js';
import { LANE_KEYS, LANE_VERSION, type LaneReply } from './lane-script.js';
import { MOST_JOBS, RedisLane, type RedisLaneDeps } from './redis-lane.js';
import { PackageLogger } from '../../../../package-logger.js';

/** The fields of BullMQ's backend that say what it does. They are not public. */
interface Inside {
  readonly version: string;
  readonly queue: {
    readonly opts: Pick<WorkerOptions, 'lockDuration' | 'limiter' | 'metrics' | 'name' | 'removeOnComplete'>;
    readonly closing?: Promise<void>;
  };
}

/** Sends the script of lane-script.ts before it returns. */
export type SendScript = (keys: readonly string[], args: readonly (string | number)[]) => Promise<LaneReply>;

/** Takes a job for a worker in the packet that stores the job. */
export interface EarlyTaking {
  /** Sends the script on the client that stores jobs. */
  readonly send: SendScript;
  /** Gets the backend of the worker, and the function that takes a job with this script. */
  readonly use: (backend: RedisQueueBackend, take: TakeJob) => void;
}

export interface UseRedisLaneDeps {
  readonly runsBatches: boolean | undefined;
  readonly clock: Clock;
  readonly isOutage: (error: unknown) => boolean;
  readonly ends: Pick<EndMessages, 'ending'>;
  readonly send: SendScript;
  /** `undefined` for a worker that never asks for a job in the packet that stores it. */
  readonly early: EarlyTaking | undefined;
  readonly toJob: (fields: string[], id: string) => NextJob;
  /** `undefined` while BullMQ makes the worker. */
  readonly worker: () => Worker | undefined;
}

/**
 * Makes a worker store the ends of jobs that succeeded together, and take many jobs at once, see {@link RedisLane}. The jobs that
 * need more than a plain end go BullMQ's own way.
 *
 * @param patch the further changes of the backend. They are to see each job as if the worker had taken it alone
 */
export function useRedisLane(
  backend: RedisQueueBackend,
  deps: UseRedisLaneDeps,
  patch: (backend: RedisQueueBackend) => RedisQueueBackend,
): RedisQueueBackend {
  const inside = backend as unknown as Inside;
  announceEnds(backend, deps.ends);
  const { opts } = inside.queue;
  // BullMQ counts what a worker with a limiter takes, and what a worker with metrics ends.
  if (opts.limiter || opts.metrics || opts.removeOnComplete) return patch(backend);
  const laneSwitch = { isOn: true };
  const turnOff = (reason: string) => {
    if (laneSwitch.isOn)
      new PackageLogger().warn(`${reason} Tasks run as before, but fewer in a second. Update nestjs-task-queue.`);
    laneSwitch.isOn = false;
  };
  if (!inside.version.startsWith(`${LANE_VERSION}.`)) {
    turnOff(`BullMQ ${inside.version} is not ${LANE_VERSION}, for which one script can store the ends of many tasks.`);
    return patch(backend);
  }
  const moveToActive = backend.moveToActive.bind(backend);
  const keys = LANE_KEYS.map((key) => backend.toKey(key));
  const prefix = backend.toKey('');
  const runWith =
    (send: SendScript): RedisLaneDeps['run'] =>
    (now, ends, tokens) => {
      const args = [prefix, now, opts.lockDuration ?? 30_000, opts.name ?? '', ends.length];
      for (const end of ends) args.push(...end);
      args.push(...tokens);
      return send(keys, args);
    };
  const lane = new RedisLane({
    clockDifference: () => deps.clock.difference,
    run: runWith(deps.send),
    toJob: deps.toJob,
    isOutage: deps.isOutage,
    onEndAlone: (id) => deps.ends.ending(id),
    takeAlone: (token) => moveToActive(token, opts.name),
    onRefused: ({ message }) =>
      turnOff(`Redis does not run the script that stores the ends of many tasks (${message}).`),
  });
  const ahead = new TakenAhead((id, token) => backend.moveJobFromActiveToWait(id, token));
  storeTogether(backend, lane, { isOn: () => laneSwitch.isOn, isClosing: () => inside.queue.closing !== undefined });
  const free = () => {
    const worker = deps.worker();
    return laneSwitch.isOn && worker ? Math.min(freePlaces(worker), MOST_JOBS - 1) : 0;
  };
  takeTogether(backend, lane, ahead, free, deps.runsBatches);
  if (deps.early) {
    const run = runWith(deps.early.send);
    deps.early.use(backend, (token) => (laneSwitch.isOn ? lane.takeOne(token, run) : Promise.resolve(undefined)));
  }
  const patched = patch(backend);
  handOver(patched, ahead);
  return patched;
}

/** Lets the watchers of a job know of its end with the command that stores it, when BullMQ's own script does that. */
function announceEnds(backend: RedisQueueBackend, ends: Pick<EndMessages, 'ending'>): void {
  const { moveToCompleted, moveToFailed } = backend;
  backend.moveToCompleted = (job, ...args) => {
    ends.ending(job.id as string);
    return moveToCompleted.call(backend, job, ...args);
  };
  backend.moveToFailed = (job, ...args) => {
    ends.ending(job.id as string);
    return moveToFailed.call(backend, job, ...args);
  };
}
