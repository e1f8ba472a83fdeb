import type { Job, JobJson } from 'bullmq';
import { readData } from './job-data.js';

/**
 * The fields of a job that this process runs or ran, as BullMQ gives a stored job. The arguments are left out, because a
 * record has none.
 *
 * @param result what the method returned; BullMQ's job object has no value for `0`, `false` and `''`
 */
export function jsonOfRun(job: Job, result?: unknown): JobJson {
  const { id, name, opts, progress, timestamp, attemptsMade, attemptsStarted, stalledCounter, failedReason } = job;
  const data = readData(job.data);
  const json = {
    ...{ id, name, opts, progress, timestamp, attemptsMade, attemptsStarted, stalledCounter, failedReason },
    data: JSON.stringify(data ? { ...data, args: [] } : (job.data ?? null)),
    processedOn: job.processedOn,
    finishedOn: job.finishedOn,
    stacktrace: JSON.stringify(job.stacktrace ?? []),
    returnvalue: JSON.stringify(result ?? null),
    parentKey: job.parentKey,
  };
  return json as unknown as JobJson;
}
