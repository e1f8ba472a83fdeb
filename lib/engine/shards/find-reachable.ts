import { EngineUnavailableError } from '../../errors.js';
import type { Engine } from '../engine.js';
import type { TaskRecord } from '../task.js';
import { queueOfTask } from '../task-id.js';
import type { Topology } from './topology.js';

/** Milliseconds that a look-up waits for a shard that did not answer the last time. */
const PATIENCE = 500;

export interface FindReachableDeps {
  readonly engine: Pick<Engine, 'find' | 'missingShards'>;
  readonly topology: Topology;
}

/**
 * Finds a task for an answer about many tasks: such an answer does without the tasks of a shard that cannot be reached.
 *
 * @throws EngineUnavailableError when there is only one shard, and it cannot be reached
 */
export async function findReachable(id: string, deps: FindReachableDeps): Promise<TaskRecord | undefined> {
  const { engine, topology } = deps;
  if (topology.shards.length === 1) return engine.find(id);
  const isMissing = engine.missingShards().includes(topology.shardOf(queueOfTask(id) ?? ''));
  const found = engine.find(id).catch((error: unknown) => {
    if (error instanceof EngineUnavailableError) return undefined;
    throw error;
  });
  return isMissing ? within(found) : found;
}

async function within<T>(answer: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  answer.catch(() => undefined);
  const late = new Promise<undefined>((resolve) => (timer = setTimeout(resolve, PATIENCE, undefined)));
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
