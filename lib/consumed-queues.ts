import type { ConsumerOptions } from './engine/ports/worker-port.js';
import { QUEUE_DEFAULTS, type ResolvedOptions } from './task-queue-options.js';
import type { TaskRegistry } from './tasks/task-registry.js';

/** The queues whose tasks this process runs, with their options. */
export function consumedQueues(options: ResolvedOptions, registry: TaskRegistry): Map<string, ConsumerOptions> {
  const { role, consume, queues, retention } = options;
  if (role === 'producer') return new Map();
  const names = consume === '*' ? registry.queues() : consume;
  const longest = registry.longestResultTtl();
  const keep = { succeeded: Math.max(retention.ttl, longest), failed: Math.max(retention.failedTtl, longest) };
  return new Map(Array.from(names, (name) => [name, { ...(queues.get(name) ?? QUEUE_DEFAULTS), keep }]));
}
