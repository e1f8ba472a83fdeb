import type { JobJson } from 'bullmq';
import { isObject, unreadableOptions } from '../../jobs/unreadable-job.js';
import type { NextJob } from '../../lane/taken-ahead.js';
import { toFoundJob, type JobRow } from '../job-rows.js';

/** A row of BullMQ's table `job` as JSON. Its numbers are numbers, also where the type says text. */
export type TakenRow = JobRow & { readonly lock_token: string };

/** What BullMQ's worker gets for the row of a job that was taken for it. */
export function toNextJob(row: TakenRow): NextJob {
  return [toJson(row), row.id, 0, 0];
}

function toJson(row: TakenRow): JobJson {
  const { json } = toFoundJob({ ...row, data: row.data ?? {} });
  return isObject(row.opts) ? json : { ...json, opts: unreadableOptions('opts is not an object') };
}
