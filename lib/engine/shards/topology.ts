import { shardOfWorkflowQueue, WORKFLOW_QUEUE, workflowQueueOf } from '../task-id.js';

/** The shard of every queue that names none. */
export const DEFAULT_SHARD = 'default';

/** Which queue is in which shard. It is computed from names alone, so every process with the same options agrees. */
export interface Topology {
  /** The names of all shards, {@link DEFAULT_SHARD} first. */
  readonly shards: readonly string[];
  shardOf(queue: string): string;
  /** The queues of a shard that is not the default one: those that name it, and the one that looks after its workflows. */
  queuesOf(shard: string): readonly string[];
  /** The queue of the tasks that look after the workflows of a queue. They are in the shard of the workflow. */
  workflowQueue(queue: string): string;
}

/** A store without shards. */
export const ONE_SHARD: Topology = topologyOf([], new Map());

/** @param shardOfQueue the queues that name a shard */
export function topologyOf(names: readonly string[], shardOfQueue: ReadonlyMap<string, string>): Topology {
  const known = new Set(names);
  // An id may be older than the options, and name a shard that is gone.
  const existing = (shard: string | undefined) => (shard !== undefined && known.has(shard) ? shard : DEFAULT_SHARD);
  const shardOf = (queue: string) => existing(shardOfQueue.get(queue) ?? shardOfWorkflowQueue(queue));
  return {
    shards: [DEFAULT_SHARD, ...known],
    shardOf,
    queuesOf: (shard) => [
      ...Array.from(shardOfQueue.keys()).filter((queue) => shardOf(queue) === shard),
      workflowQueueOf(shard),
    ],
    workflowQueue: (queue) => {
      const shard = shardOf(queue);
      return shard === DEFAULT_SHARD ? WORKFLOW_QUEUE : workflowQueueOf(shard);
    },
  };
}
