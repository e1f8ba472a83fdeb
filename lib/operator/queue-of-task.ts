import type { QueueInfo } from '../admin/queue-overview.js';
import type { Engine } from '../engine/engine.js';
import { InvalidArgumentsError } from '../errors.js';

/** Names that an error lists. */
const MOST_NAMES = 8;

/**
 * The queue of a task that this process may not declare: the one for which live workers declare it. Otherwise a name with a
 * mistake would be stored, and no worker would run it.
 *
 * @throws InvalidArgumentsError when no live worker declares the task, or several do for different queues
 */
export function queueOfTask(name: string, queues: readonly QueueInfo[]): string {
  const found = queues.filter(({ tasks }) => tasks.includes(name)).map((queue) => queue.name);
  if (found.length === 1) return found[0] as string;
  if (found.length > 1) {
    throw new InvalidArgumentsError(
      `Task "${name}" is declared for several queues: ${found.join(', ')}. Give the one that is meant.`,
    );
  }
  const known = [...new Set(queues.flatMap(({ tasks }) => tasks))];
  const cure = known.length === 0 ? 'No worker runs at all' : `Live workers declare ${namesText(name, known)}`;
  throw new InvalidArgumentsError(
    `No live worker declares the task "${name.slice(0, 200)}". ${cure}. To store it nevertheless, give its queue.`,
  );
}

/**
 * Refuses a queue of a shard that this process does not know. A call would be stored in another shard, where no worker takes it.
 *
 * @throws InvalidArgumentsError
 */
export async function refuseUnknownShard(queue: string, engine: Pick<Engine, 'shards' | 'workers'>): Promise<void> {
  const workers = await engine.workers.list();
  const shard = workers.map(({ shardOfQueues }) => shardOfQueues?.[queue]).find((name) => name !== undefined);
  if (shard === undefined || engine.shards.some(({ name }) => name === shard)) return;
  throw new InvalidArgumentsError(
    `The queue "${queue}" is in the shard ${shard}, whose place is not given. On the command line: --shard ${shard}=redis://..., or TASK_QUEUE_SHARDS.`,
  );
}

/** The names that are like the wanted one come first. */
function namesText(wanted: string, known: readonly string[]): string {
  const last = wanted.split('.').at(-1)?.toLowerCase() ?? '';
  const likeness = (name: string) =>
    Number(name.toLowerCase().includes(last)) + Number(name.startsWith(wanted.slice(0, 4)));
  const sorted = known.toSorted((a, b) => likeness(b) - likeness(a) || (a < b ? -1 : 1));
  const shown = sorted.slice(0, MOST_NAMES).join(', ');
  return sorted.length > MOST_NAMES ? `${shown} and ${sorted.length - MOST_NAMES} more` : shown;
}
