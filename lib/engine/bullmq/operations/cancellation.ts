/**
 * How a task is cancelled, from any process and whatever the task is doing. A message may be lost and a task may move
 * while it is being cancelled, so the request is stored in two places before anything is sent:
 *
 * 1. `data.cancelled` in the job (`StoredJobs.cancel`): a worker that takes the job from now on ends it without running it, and
 *    every reader already reports the task as cancelled. The mark says how often the job had been taken, so a reader
 *    knows whether a worker runs it or ends it.
 * 2. If the job was active, the field `cancel:<id>` of the queue's metadata ({@link requestCancels}): the worker that runs
 *    the task polls these fields (consumer/cancel-poll.ts).
 * 3. A message on the channel `workers` (changes/): the worker reads the field within milliseconds. When the message is
 *    lost, the poll finds the field.
 *
 * This order leaves no gap: a job becomes active either before step 1, which then reports it as active, or after step 1,
 * and then with the mark. Only a task that begins to wait for new members writes its data anew, without the mark: it
 * reads the field afterwards, and step 3 is followed by a look-up that cancels such a task again. The worker removes the
 * field when it ends the task, and `retry` removes mark and field. A `retry` that comes while the run still ends puts the note `again`
 * into the mark instead: the worker that has stored the end reads it, and then runs the task again (retries.ts). The members of a workflow are cancelled after the task
 * itself, which would otherwise take them for failures.
 */
import type { IQueueBackend } from 'bullmq';
import type { CancelOfJob } from '../stored-jobs.js';
import type { JobData } from '../jobs/job-data.js';

type MetaFields = Pick<IQueueBackend, 'getQueueMetaFields' | 'setQueueMeta' | 'removeQueueMetaFields'>;

/** The data of a job without the mark; `undefined` when there is none. The data of a foreign job may be anything. */
export function withoutMark(marked: JobData | null): JobData | undefined {
  const { cancelled, failed, ...data } = marked ?? {};
  return (cancelled || failed) && (data as JobData);
}

/** Stores the requests for the workers that run the tasks. */
export async function requestCancels(backend: MetaFields, cancels: readonly CancelOfJob[]): Promise<void> {
  await backend.setQueueMeta(Object.fromEntries(cancels.map(({ id, reason = '' }) => [fieldOf(id), reason])));
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
