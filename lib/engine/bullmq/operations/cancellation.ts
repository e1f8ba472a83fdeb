/**
 * How a task is cancelled, from any process and whatever the task is doing. A message may be lost and a task may move
 * while it is being cancelled, so the request is stored in two places before anything is sent:
 *
 * 1. `data.cancelled` in the job ({@link withCancelMark}): a worker that takes the job from now on ends it without running
 *    it, and every reader already reports the task as cancelled.
 * 2. If the job is active, the field `cancel:<id>` of the queue's metadata ({@link requestCancel}): the worker that runs
 *    the task polls these fields (consumer/cancel-poll.ts).
 * 3. A message on the channel `workers` (changes/): the worker hears of the request within milliseconds. When the message
 *    is lost, the poll finds the field.
 *
 * This order leaves no gap: a job that becomes active before step 1 is active in step 2, and one that becomes active
 * after step 1 carries the mark. The worker removes the field when it ends the task, and `retry` removes mark and field.
 * The members of a workflow are cancelled after the task itself, which would otherwise take them for failures.
 */
import type { IQueueBackend } from 'bullmq';
import type { JobData } from '../jobs/job-data.js';

type MetaFields = Pick<IQueueBackend, 'getQueueMetaFields' | 'setQueueMeta' | 'removeQueueMetaFields'>;

/** The data of a job with the mark that a worker has to end it without running it. */
export function withCancelMark(data: JobData, reason: string | undefined, now: number): JobData {
  return { ...data, cancelled: { at: now, ...(reason !== undefined && { reason }) } };
}

/** The data of a job without the mark; `undefined` when there is none. */
export function withoutCancelMark({ cancelled, ...data }: JobData): JobData | undefined {
  return cancelled && data;
}

/** Stores the request for the worker that runs the task. */
export async function requestCancel(backend: MetaFields, id: string, reason: string | undefined): Promise<void> {
  await backend.setQueueMeta({ [fieldOf(id)]: reason ?? '' });
}

/**
 * The requests for these tasks, in order: the reason, `''` for a request without a reason, `null` for no request. One
 * query for all tasks.
 */
export function cancelRequests(backend: MetaFields, ids: readonly string[]): Promise<(string | null)[]> {
  return backend.getQueueMetaFields(ids.map(fieldOf));
}

/** Removes the request. A request that stayed would cancel the task again after a `retry`. */
export async function removeCancelRequest(backend: MetaFields, id: string): Promise<void> {
  await backend.removeQueueMetaFields([fieldOf(id)]);
}

/** A field of the queue's metadata. */
function fieldOf(id: string): string {
  return `cancel:${id}`;
}
