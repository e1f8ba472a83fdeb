import type { ConsumerOptions } from './engine/ports/worker-port.js';
import { CONTROL_QUEUE, WORKFLOW_QUEUE } from './engine/task-id.js';
import { QUEUE_DEFAULTS, type ResolvedOptions } from './task-queue-options.js';
import type { TaskRegistry } from './tasks/task-registry.js';

/** The queues whose tasks this process runs, with their options. */
export function consumedQueues(options: ResolvedOptions, registry: TaskRegistry): Map<string, ConsumerOptions> {
  const { role, consume, queues, retention } = options;
  if (role === 'producer') return new Map();
  const names = consume === '*' ? registry.queues() : consume;
  const longest = registry.longestResultTtl();
  const keep = { succeeded: Math.max(retention.ttl, longest), failed: Math.max(retention.failedTtl, longest) };
  return new Map(
    Array.from(names, (name) => {
      // The worker holds the calls of all batches that run.
      const size = registry.batchSizeOf(name);
      const concurrency = placesIn(name, options, registry) * size;
      const queue = queues.get(name) ?? QUEUE_DEFAULTS;
      return [name, { ...queue, concurrency, ...(size > 1 && { countsRuns: true, batchSize: size }), keep }];
    }),
  );
}

/** How many methods of the queue's tasks this process runs at the same time. */
export function concurrencyOf(queue: string, { queues, concurrency }: ResolvedOptions): number {
  return concurrency ?? (queues.get(queue) ?? QUEUE_DEFAULTS).concurrency;
}

/** A queue whose tasks are all isolated has no more places than there are child processes. */
function placesIn(queue: string, options: ResolvedOptions, registry: TaskRegistry): number {
  const { isolation } = options;
  const most = isolation && registry.isIsolated(queue) ? isolation.processes : Infinity;
  return Math.min(concurrencyOf(queue, options), most);
}

/** Groups and callbacks that one process looks after at the same time. They run no code of the application. */
const WORKFLOWS_AT_ONCE = 50;

/** Acts on many tasks that one process performs at the same time. */
const ACTS_AT_ONCE = 5;

/**
 * The queues with those of the package itself, which every process takes from that runs tasks, even if it declares none. The workflows
 * of a shard are looked after by the processes that take from a queue of the shard: the others need no more connections there.
 */
export function withInternalQueues(
  queues: ReadonlyMap<string, ConsumerOptions>,
  { role, retention, topology }: ResolvedOptions,
): ReadonlyMap<string, ConsumerOptions> {
  if (role === 'producer') return queues;
  const keep = { succeeded: retention.ttl, failed: retention.failedTtl };
  return new Map<string, ConsumerOptions>([
    ...queues,
    ...[WORKFLOW_QUEUE, ...Array.from(queues.keys(), topology.workflowQueue)].map(
      (queue) => [queue, { concurrency: WORKFLOWS_AT_ONCE, keep }] as const,
    ),
    [CONTROL_QUEUE, { concurrency: ACTS_AT_ONCE, keep }],
  ]);
}
