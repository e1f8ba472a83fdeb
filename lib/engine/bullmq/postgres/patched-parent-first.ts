import type { IQueueBackend } from 'bullmq';

/**
 * Moves a workflow whose member failed to the front of its queue. On Redis, BullMQ does so by itself. On PostgreSQL,
 * BullMQ puts the workflow at the end of the queue, behind the very members that must not run any more after the
 * failure.
 */
export function moveFailedParentFirst<B extends Pick<IQueueBackend, 'moveToFailed' | 'forQueue'>>(backend: B): B {
  const moveToFailed = backend.moveToFailed.bind(backend);
  backend.moveToFailed = async (job, reason, removeOnFail, token, fetchNext, fields) => {
    const { parent, opts } = job;
    if (!parent?.id || !opts.continueParentOnFailure) {
      return moveToFailed(job, reason, removeOnFail, token, fetchNext, fields);
    }
    // The worker fetches its next job only after the workflow has moved.
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
