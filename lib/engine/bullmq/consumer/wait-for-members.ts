import type { Job } from 'bullmq';
import type { Outcome } from '../../engine.js';
import { rangesOf } from '../../task-id.js';
import type { MemberFlows } from '../operations/member-flows.js';
import type { StoredData } from '../jobs/job-data.js';

/**
 * Stores the members a running task is to wait for, and puts it where it waits without holding a place in its worker.
 *
 * First it is noted that they are about to be stored, then they are, then that this is done: a process that dies in
 * between leaves a task that says the same again, and only what is missing is stored then. To store a member a second
 * time would have BullMQ wait for one that ended long ago.
 *
 * @returns false when there is nothing to wait for any more: the task is to run again at once
 */
export async function waitForMembers(
  job: Job<StoredData>,
  token: string | undefined,
  { members, note }: Extract<Outcome, { kind: 'waiting' }>,
  flows: MemberFlows,
): Promise<boolean> {
  if (members.length > 0) {
    const { adding, ...data } = job.data;
    if (!adding) await job.updateData({ ...data, adding: true });
    await flows.addTo(job, adding ? await flows.missing(members) : members);
    await job.updateData({
      ...data,
      note,
      members: rangesOf(
        members.map(({ queue }) => queue),
        data.members,
      ),
    });
    // One that failed meanwhile found nobody who waits, so it woke nobody.
    const { ignored = 0, failed = 0 } = await job.getDependenciesCount({ ignored: true, failed: true });
    if (ignored + failed > 0 && members.some(({ onFailure }) => onFailure !== 'wait')) return false;
  }
  return job.moveToWaitingChildren(token as string);
}
