import type { Job, JobJson } from 'bullmq';
import type { StoredData, StoredJobOptions } from './job-data.js';

/**
 * What is told of a job that succeeded, so that nobody who waits has to look at it: the fields of its hash on Redis, as
 * BullMQ calls them there. All but the last few are there also while it runs.
 */
export const SUCCESS_FIELDS = [
  ...['name', 'data', 'opts', 'progress', 'timestamp', 'processedOn', 'atm', 'ats'],
  ...['finishedOn', 'returnvalue'],
] as const;

/** The fields' values as texts; Redis says `false` for what is not there. */
export type StoredSuccess = readonly (string | false)[];

/**
 * The same of a job that this process ran, once that is stored. Its arguments are left out: no record has them.
 *
 * @param result what the method returned; BullMQ's job has nothing for `0`, `false` and `''`
 */
export function writeSuccess(job: Job<StoredData>, result: unknown): StoredSuccess {
  const { attempts, task }: StoredJobOptions = job.opts;
  return [
    ...[job.name, JSON.stringify({ ...job.data, args: [] }), JSON.stringify({ attempts, task })],
    ...[JSON.stringify(job.progress), `${job.timestamp}`, `${job.processedOn}`],
    ...[`${job.attemptsMade}`, `${job.attemptsStarted}`, `${job.finishedOn}`, JSON.stringify(result ?? null)],
  ];
}

export function readSuccess(stored: StoredSuccess): JobJson {
  const [name, data, opts, progress, timestamp, processedOn, attemptsMade, attemptsStarted, finishedOn, returnvalue] =
    stored.map((text) => text || undefined);
  return {
    name,
    data,
    opts: JSON.parse(opts ?? '{}'),
    progress: JSON.parse(progress ?? '0'),
    timestamp: Number(timestamp),
    processedOn: Number(processedOn),
    attemptsMade: Number(attemptsMade ?? 0),
    attemptsStarted: Number(attemptsStarted ?? 0),
    finishedOn: Number(finishedOn),
    returnvalue,
  } as JobJson;
}
