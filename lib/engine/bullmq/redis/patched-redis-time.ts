import type { RedisQueueBackend } from 'bullmq';
import type { Clock } from '../clock.js';
import { onClockOfStore, type TimeArguments } from '../patched-backend-time.js';

/**
 * Where BullMQ's scripts get the time of this process: keys and arguments are counted together, from 0. The commands of
 * BullMQ's own job schedulers are missing: their other times are computed by the clock of the caller.
 */
export const TIMES_OF_SCRIPTS: TimeArguments = {
  releaseParentIfNoPendingDependencies: [4],
  moveToActive: [12],
  moveToFinished: [15],
  moveToDelayed: [12],
  moveToWaitingChildren: [9],
  retryJob: [12],
  moveStalledJobsToWait: [11],
  changeDelay: [5],
};

/** Makes a backend pass the server's time to BullMQ's scripts; see {@link onClockOfStore}. */
export function passServerTime(backend: RedisQueueBackend, clock: Clock): RedisQueueBackend {
  const execCommand = backend.execCommand.bind(backend);
  const forQueue = backend.forQueue.bind(backend);
  backend.execCommand = (client, command, args: unknown[]) =>
    execCommand(client, command, onClockOfStore(TIMES_OF_SCRIPTS, command, args, clock)) as unknown;
  backend.forQueue = (...args) => passServerTime(forQueue(...args) as RedisQueueBackend, clock);
  return backend;
}
