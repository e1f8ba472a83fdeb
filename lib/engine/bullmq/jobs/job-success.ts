import type { Job, JobJson } from 'bullmq';
import { parse, type JobData, type JobOptions } from './job-data.js';
import { isObject, unreadableReason } from './unreadable-job.js';

/**
 * What is stored of a job that succeeded, as a message to watchers carries it, so that they need not fetch the job. The
 * names are those of BullMQ's hash on Redis, in this order. All but the last two exist also while the job runs.
 */
export const SUCCESS_FIELDS = [
  ...['name', 'data', 'opts', 'progress', 'timestamp', 'processedOn', 'atm', 'ats'],
  ...['finishedOn', 'returnvalue'],
] as const;

/** The texts of {@link SUCCESS_FIELDS}, in order. A script on Redis gives `false` for a field that is not there. */
export type JobSuccess = readonly (string | false)[];

/**
 * The fields of a job that this process ran, after its end was stored. Its arguments and its stacks are left out, for a record has none.
 *
 * @param result what the method returned; BullMQ's job object has no value for `0`, `false` and `''`
 */
export function writeSuccess(job: Job<JobData>, result: unknown): JobSuccess {
  const { attempts, task }: JobOptions = job.opts;
  const { rerun, ...data } = job.data;
  const shown = { ...data, args: [], ...(rerun && { rerun: { ...rerun, stacks: undefined } }) };
  return [
    ...[job.name, JSON.stringify(shown), JSON.stringify({ attempts, task })],
    ...[JSON.stringify(job.progress), `${job.timestamp}`, `${job.processedOn}`],
    ...[`${job.attemptsMade}`, `${job.attemptsStarted}`, `${job.finishedOn}`, JSON.stringify(result ?? null)],
  ];
}

/** The fields of a job that succeeded as they will be stored with its end. @param finishedOn the time of the end */
export function foretellSuccess(job: Job<JobData>, result: unknown, finishedOn: number): JobSuccess {
  const { id, name, data, opts, progress, timestamp, processedOn, attemptsStarted } = job;
  const attemptsMade = job.attemptsMade + 1;
  const ended = { id, name, data, opts, progress, timestamp, processedOn, attemptsStarted, attemptsMade, finishedOn };
  return writeSuccess(ended as Job<JobData>, result);
}

/** Whether a value of a message has the form of a {@link JobSuccess}. Its texts are not read. */
export function isSuccess(value: unknown): value is JobSuccess {
  return (
    Array.isArray(value) &&
    value.length === SUCCESS_FIELDS.length &&
    value.every((field) => typeof field === 'string' || field === false)
  );
}

/** The fields as BullMQ gives a stored job; `undefined` when a text cannot be read. */
export function readSuccess(success: JobSuccess): JobJson | undefined {
  const [name, data, opts, progress, timestamp, processedOn, attemptsMade, attemptsStarted, finishedOn, returnvalue] =
    success.map((text) => text || undefined);
  const job = {
    name,
    data,
    opts: parse(opts ?? '{}'),
    progress: parse(progress ?? '0'),
    timestamp: Number(timestamp),
    processedOn: Number(processedOn),
    attemptsMade: Number(attemptsMade ?? 0),
    attemptsStarted: Number(attemptsStarted ?? 0),
    finishedOn: Number(finishedOn),
    returnvalue,
  };
  const stored = parse(data);
  const isReadable =
    isObject(stored) &&
    job.progress !== undefined &&
    parse(returnvalue) !== undefined &&
    [job.processedOn, job.finishedOn].every(Number.isFinite) &&
    unreadableReason(job, stored) === undefined;
  return isReadable ? (job as unknown as JobJson) : undefined;
}
