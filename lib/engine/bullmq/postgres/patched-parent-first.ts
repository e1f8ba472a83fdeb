import type { IQueueBackend } from 'bullmq';

/**
 * Has a workflow whose member failed run before all else in its queue. BullMQ does so on Redis; on PostgreSQL it puts
 * the workflow at the end of the queue, behind the very members that its failure is to keep from running.
 */
export function moveFailedParentFirst<B extends Pick<IQueueBackend, 'moveToFailed' | 'forQueue'>>(backend: B): B {
  const moveToFailed = backend.moveToFailed.bind(backend);
  backend.moveToFailed = async (job, reason, removeOnFail, token, fetchNext, fields) => {
    const { parent, opts } = job;
    if (!parent?.id || !opts.continueParentOnFailure) {
      return moveToFailed(job, reason, removeOnFail, token, fetchNext, fields);
    }
    // The next job is fetched only when the workflow stands where it belongs.
    const moved = await moveToFailed(job, reason, removeOnFail, token, false, fields);
    const queue = backend.forQueue(parent.queueKey);
    const state = await queue.getState(parent.id);
    if (state === 'waiting' || state === 'prioritized') {
      const stored = await queue.getJobData(parent.id);
      await queue.changePriority(parent.id, stored?.opts.priority, true);
    }
    return moved;
  };
  return backend;
}
