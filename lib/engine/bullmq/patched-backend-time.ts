import type { IQueueBackend } from 'bullmq';
import { aroundTaking } from './around-taking.js';
import type { Clock } from './clock.js';

type WaitingBackend = Pick<
  IQueueBackend,
  'moveToActive' | 'moveToCompleted' | 'moveToFailed' | 'moveToDelayed' | 'waitForJob'
>;
type NextJob = readonly unknown[];

/** The index of each time in the arguments of a command, by the name of the command. */
export type TimeArguments = Readonly<Record<string, readonly number[]>>;

/**
 * BullMQ passes `Date.now()` to the store in some thirty places: as the time at which a job starts, ends, is retried or
 * gets a lock, and to find the jobs that are due. So a process whose clock is wrong takes jobs too early or never, and
 * lets results end at once. This corrects the times of one command on their way to the store.
 *
 * @returns `args`, or a corrected copy
 */
export function onClockOfStore<A extends readonly unknown[]>(
  times: TimeArguments,
  command: string,
  args: A,
  clock: Clock,
): A {
  const indexes = times[command];
  if (!indexes) return args;
  // The clock reads the time twice for it, which a command without times has no use for.
  const { difference } = clock;
  if (difference === 0) return args;
  const corrected: unknown[] = [...args];
  for (const index of indexes) corrected[index] = Number(corrected[index]) + difference;
  return corrected as unknown as A;
}

/**
 * Makes a worker's backend speak of times by the clock of this process, in which BullMQ's worker computes how long it
 * waits: when the next job is due, and when a job ended. It takes no job while the difference between the clocks is
 * unknown.
 */
export function waitByOwnClock<B extends WaitingBackend>(backend: B, clock: Clock): B {
  const { moveToActive, moveToCompleted, moveToFailed, moveToDelayed, waitForJob } = backend;
  const toOwn = (time: unknown) => (typeof time === 'number' && time > 0 ? time - clock.difference : time);
  const nextByOwn = <N>(next: N): N => {
    if (clock.difference === 0 || !Array.isArray(next) || next.length < 4) return next;
    const [job, id, limitedFor, dueAt] = next as NextJob;
    return [job, id, limitedFor, toOwn(dueAt)] as N;
  };
  const take = (token: string, name?: string) => moveToActive.call(backend, token, name);
  // These run for each task, so they make no more promises than they need.
  backend.moveToActive = (token, name) =>
    clock.isTrusted ? take(token, name) : clock.measure().then(() => take(token, name));
  aroundTaking(backend, { taken: nextByOwn });
  const endByOwn = <E extends { result: unknown; finishedOn: number }>(end: E): E =>
    clock.difference === 0
      ? end
      : { ...end, result: nextByOwn(end.result), finishedOn: end.finishedOn + clock.difference };
  backend.moveToCompleted = (job, value, keep, token, fetchNext) =>
    moveToCompleted.call(backend, job, value, keep, token, fetchNext && clock.isTrusted).then(endByOwn);
  backend.moveToFailed = (job, reason, keep, token, fetchNext, fields) =>
    moveToFailed.call(backend, job, reason, keep, token, fetchNext && clock.isTrusted, fields).then(endByOwn);
  backend.moveToDelayed = async (...args) => nextByOwn(await moveToDelayed.apply(backend, args));
  const markerByOwn = (marker: Awaited<ReturnType<typeof waitForJob>>) =>
    marker && clock.difference !== 0 ? { ...marker, score: toOwn(marker.score) as number } : marker;
  backend.waitForJob = (timeout) => waitForJob.call(backend, timeout).then(markerByOwn);
  return backend;
}
