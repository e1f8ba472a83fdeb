import type { IQueueBackend, Job } from 'bullmq';
import { setTimeout as wait } from 'node:timers/promises';
import { RunUp } from './run-up.js';
import type { NextJob, TakenAhead } from './taken-ahead.js';

/** What BullMQ's worker gets for an end: the next job, if it asked for one, and the time of the end. */
export type End = Awaited<ReturnType<IQueueBackend['moveToCompleted']>>;

/** The end of a job that needs nothing but to be stored. */
export interface PlainEnd {
  readonly job: Job;
  /** What the job gave. */
  readonly value: unknown;
  readonly id: string;
  readonly token: string;
  /** {@link value} as JSON. */
  readonly result: string;
  /** By the clock of this process. */
  readonly finishedOn: number;
  /** Whether the worker asks for another job. */
  readonly wantsNext: boolean;
  /** Stores the end in BullMQ's own way. */
  readonly storeAlone: () => Promise<End>;
}

/**
 * Characters of the results that are stored with one call to the store; the last one may exceed them. A larger call would take longer than
 * the locks of its jobs.
 */
const LONGEST_RESULTS = 4_000_000;

/** The lane stores this many of the ends with one call to the store: one at least. @param most the most of them */
export function endsAtOnce(ends: readonly Pick<PlainEnd, 'result'>[], most: number): number {
  let count = 0;
  for (let length = 0; count < Math.min(most, ends.length) && length < LONGEST_RESULTS; count++)
    length += (ends[count] as Pick<PlainEnd, 'result'>).result.length;
  return count;
}

/** The answer to {@link Lane.take}. */
export interface Taken {
  /** By token. */
  readonly jobs: ReadonlyMap<string, NextJob>;
  /** The answer for a token that got no job; `undefined`: the store has to be asked in BullMQ's own way. */
  readonly none: NextJob | undefined;
}

/** Stores many ends, and takes many jobs, with one call to the store. */
export interface Lane {
  end(end: PlainEnd): Promise<End>;
  /** Takes up to one job for each token. */
  take(tokens: readonly string[]): Promise<Taken>;
}

/** Makes a worker store the ends through the lane that need nothing else. */
export function storeTogether(
  backend: Pick<IQueueBackend, 'moveToCompleted'>,
  lane: Pick<Lane, 'end'>,
  deps: { readonly isOn: () => boolean; readonly isClosing: () => boolean },
): void {
  const moveToCompleted = backend.moveToCompleted.bind(backend);
  backend.moveToCompleted = (job, value, keep, token, fetchNext) => {
    const storeAlone = () => moveToCompleted(job, value, keep, token, fetchNext);
    if (keep || !isPlain(job) || !deps.isOn()) return storeAlone();
    return lane.end({
      job: job as unknown as Job,
      value,
      id: job.id as string,
      token,
      // As BullMQ writes it.
      result: JSON.stringify(value) ?? 'null',
      finishedOn: Date.now(),
      wantsNext: fetchNext && !deps.isClosing(),
      storeAlone,
    });
  };
}

/** Whether this process knows of nothing that the end of the job has to change but the job itself. The lane checks it again. */
function isPlain({ parent, parentKey, deduplicationId, repeatJobKey }: Partial<Job>): boolean {
  return (parent ?? parentKey ?? deduplicationId ?? repeatJobKey) === undefined;
}

/**
 * Makes a worker take many jobs at once through the lane while it fills its places.
 *
 * @param free the places that are free beside the one for which the worker asks; 0 to take each job in BullMQ's own way
 * @param runsBatches whether the worker runs its jobs in batches
 */
export function takeTogether(
  backend: Pick<IQueueBackend, 'moveToActive' | 'waitForJob'>,
  lane: Pick<Lane, 'take'>,
  ahead: Pick<TakenAhead, 'add'>,
  free: () => number,
  runsBatches: boolean | undefined,
): void {
  const [moveToActive, waitForJob] = [backend.moveToActive.bind(backend), backend.waitForJob.bind(backend)];
  const runUp = new RunUp(runsBatches);
  const tookAlone = (next: NextJob): NextJob => {
    runUp.took(next[0] ? 1 : 0, 1);
    return next;
  };
  const takeAlone = (token: string, name: string | undefined) => moveToActive(token, name).then(tookAlone);
  const takeMany = async (tokens: readonly string[], token: string, name: string | undefined): Promise<NextJob> => {
    const pause = runUp.pause();
    if (pause > 0) await wait(pause);
    const { jobs, none } = await lane.take(tokens);
    const taken = tokens.filter((one) => jobs.has(one));
    runUp.took(taken.length, tokens.length);
    for (const one of taken) if (one !== token) ahead.add(one, jobs.get(one) as NextJob);
    return jobs.get(token) ?? none ?? takeAlone(token, name);
  };
  backend.waitForJob = (timeout) => {
    runUp.waits();
    return waitForJob(timeout);
  };
  backend.moveToActive = (token, name) => {
    const tokens = runUp.tokens(token, free());
    return tokens.length === 1 ? takeAlone(token, name) : takeMany(tokens, token, name);
  };
}
