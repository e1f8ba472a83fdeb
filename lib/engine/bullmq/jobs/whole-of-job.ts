import type { Job, JobJson } from 'bullmq';

/** The id of the job that BullMQ runs when a job fails; `undefined` when no job does. BullMQ's key of a job ends with its id. */
export function wholeOf({ parentKey, opts }: Pick<Job | JobJson, 'parentKey' | 'opts'>): string | undefined {
  return parentKey && opts.continueParentOnFailure ? parentKey.slice(parentKey.lastIndexOf(':') + 1) : undefined;
}
