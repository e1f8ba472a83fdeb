import type { JobEdit } from '../stored-jobs.js';
import type { JobData } from './job-data.js';
import { isObject } from './unreadable-job.js';

/** The data of a job after a change. The time of a workflow's step is in its note too. */
export function editedData(data: JobData, { args, startAt, now }: JobEdit): JobData {
  const { note } = data;
  const moves = startAt !== undefined && note?.delay !== undefined;
  return {
    ...data,
    ...(args && { args }),
    ...(moves && { note: { ...note, delay: startAt > now ? { at: startAt } : 0 } }),
  };
}

/** The JSON text of the options of a job after a change; `undefined` when they do not change. */
export function editedOptions(opts: unknown, { priority }: JobEdit): string | undefined {
  return priority === undefined ? undefined : JSON.stringify({ ...(isObject(opts) ? opts : {}), priority });
}
