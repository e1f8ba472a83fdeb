import { ConfigurationError } from '../../errors.js';
import type { TaskTree } from '../task.js';
import type { Topology } from './topology.js';

/** A task and its queue, for errors. */
export interface PlacedTask {
  readonly name: string;
  readonly queue: string;
}

/**
 * A workflow is stored in one step and ends in steps that concern a task and its parent, so all of it is in one shard.
 *
 * @throws ConfigurationError naming a task of each of two shards, and the cure
 */
export function refuseTwoShards(tasks: Iterable<PlacedTask>, { shards, shardOf }: Topology): void {
  if (shards.length === 1) return;
  let first: PlacedTask | undefined;
  for (const task of tasks) {
    first ??= task;
    if (shardOf(task.queue) === shardOf(first.queue)) continue;
    throw new ConfigurationError(
      `The workflow spans two shards: ${describe(first, shardOf(first.queue))}, and ${describe(task, shardOf(task.queue))}. ` +
        `A workflow stays within one shard, with its later steps and callbacks. Put both queues into the same shard with the option queues, ` +
        'or let a task of the workflow enqueue the task of the other shard.',
    );
  }
}

/** See {@link refuseTwoShards}. */
export function refuseSpanningTree(tree: TaskTree, topology: Topology): void {
  if (topology.shards.length > 1) refuseTwoShards(tasksOf(tree), topology);
}

function* tasksOf(tree: TaskTree): Generator<PlacedTask, void, undefined> {
  for (const member of tree.members) yield* tasksOf(member);
  yield tree;
}

function describe({ name, queue }: PlacedTask, shard: string): string {
  return `"${name}" (queue "${queue}") is in ${shard}`;
}
