import type { TaskTree } from '../../task.js';
import type { JobOfTransaction } from '../job-transactions.js';
import { toJobEntry, type JobOptions } from './job-data.js';

/**
 * What stands in `data.by` of a job that a transaction has stored. No process counts the call when it is made, because it may be rolled
 * back: the worker does.
 */
const TRANSACTION = 'transaction';

/** The jobs of a tree, each parent before its members: what BullMQ's flows make of it. */
export function entryOf(
  tree: TaskTree,
  now: number,
  hasPriorities: (queue: string) => boolean,
  parent?: TaskTree,
): JobOfTransaction[] {
  const { id, queue, unique, members } = tree;
  const { job } = toJobEntry(tree, now, hasPriorities(queue), { by: TRANSACTION });
  const opts = job.opts as JobOptions;
  return [
    {
      queue,
      id,
      name: job.name,
      data: job.data,
      opts: parent || members.length > 0 ? optionsOfFlow(tree, opts, now, parent) : opts,
      priority: opts.priority ?? 0,
      delay: opts.delay ?? 0,
      attempts: opts.attempts ?? (parent || members.length > 0 ? 0 : 1),
      children: members.length,
      ...(parent && { parentQueue: parent.queue, parentId: parent.id, parentKey: `${parent.queue}:${parent.id}` }),
      ...(unique && {
        dedupId: unique.key,
        while: unique.while,
        ...(unique.idempotencyKey !== undefined && { exactKey: unique.idempotencyKey }),
        ...(typeof opts.deduplication?.ttl === 'number' && { keyTtl: opts.deduplication.ttl }),
      }),
    },
    ...members.flatMap((member) => entryOf(member, now, hasPriorities, tree)),
  ];
}

/** BullMQ's class `Job` adds these to the options of the jobs in a flow. */
function optionsOfFlow(tree: TaskTree, opts: JobOptions, now: number, parent: TaskTree | undefined): object {
  return {
    attempts: 0,
    jobId: tree.id,
    timestamp: now,
    ...opts,
    ...(parent && {
      ...(tree.onFailure === 'wait' ? { ignoreDependencyOnFailure: true } : { continueParentOnFailure: true }),
      parent: { id: parent.id, queue: parent.queue },
    }),
  };
}
