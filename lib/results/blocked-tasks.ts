import type { Engine } from '../engine/engine.js';
import type { QueueBlock } from '../engine/ports/block-port.js';
import type { RateLimit } from '../engine/ports/control-port.js';
import { isAlive } from '../engine/ports/worker-registry.js';
import type { BlockReason, TaskBlock, TaskRecord } from '../engine/task.js';

export interface BlockedTasksDeps {
  readonly engine: Pick<Engine, 'blockOf' | 'lists' | 'workers' | 'now'>;
  /** The rate limit that the code declares for the queue. */
  readonly rateLimitOf: (queue: string) => RateLimit | undefined;
}

/** Milliseconds for which the answer for a queue is used again. */
const KEEP_FOR = 1_000;

/** The tasks at the head of a queue whose places are told. */
const FIRST_TASKS = 100;

/** What is known of a queue. */
interface QueueState {
  readonly by: BlockReason | null;
  readonly block: QueueBlock;
  /** The ids of the tasks that start next, in their order. */
  readonly next: readonly (string | undefined)[];
  /** The time of the answer, by the store's clock. */
  readonly now: number;
}

interface Answer {
  readonly at: number;
  readonly state: Promise<QueueState | undefined>;
}

/**
 * Finds out why queued tasks wait: for all tasks of a queue at once, because everything that keeps a task back keeps back its
 * whole queue. A queue is asked for at most once a second.
 */
export class BlockedTasks {
  private readonly answers = new Map<string, Answer>();

  constructor(private readonly deps: BlockedTasksDeps) {}

  /** The record of a queued task with what keeps it from starting. Any other record stays as it is. */
  async withBlock(record: TaskRecord): Promise<TaskRecord> {
    if (record.state !== 'queued') return record;
    const state = await this.stateOf(record.queue);
    return state ? { ...record, block: blockIn(state, record.id) } : record;
  }

  private stateOf(queue: string): Promise<QueueState | undefined> {
    const now = performance.now();
    const known = this.answers.get(queue);
    if (known && now - known.at < KEEP_FOR) return known.state;
    // The reason is a hint: the status of the task is known without it.
    const state = this.ask(queue).catch(() => undefined);
    for (const [other, { at }] of this.answers) if (now - at >= KEEP_FOR) this.answers.delete(other);
    this.answers.set(queue, { at: now, state });
    return state;
  }

  /** Asks everything at the same time, so that it takes the time of one round trip. */
  private async ask(queue: string): Promise<QueueState> {
    const { engine, rateLimitOf } = this.deps;
    const first = (list: 'queued' | 'prioritized') =>
      engine.lists.list({ list, queues: [queue], after: undefined, count: FIRST_TASKS });
    const [block, workers, queued, prioritized] = await Promise.all([
      engine.blockOf(queue, rateLimitOf(queue)),
      engine.workers.list(),
      first('queued'),
      first('prioritized'),
    ]);
    const now = engine.now();
    const hasWorker = workers.some((worker) => worker.queues.includes(queue) && isAlive(worker, now));
    // Workers take the tasks without a priority first. When there are many, the places of the others are not known.
    const next = queued.length < FIRST_TASKS ? [...queued, ...prioritized] : queued;
    return { by: reasonOf(block, hasWorker), block, next: next.map(({ record }) => record?.id), now };
  }
}

function blockIn({ by, block, next, now }: QueueState, id: string): TaskBlock {
  const place = next.indexOf(id);
  const position = place === -1 ? null : place;
  const { limit, limitedFor } = block;
  const isEstimated = by === 'rate-limit' && limit !== undefined && position !== null;
  const start = isEstimated ? now + limitedFor + Math.floor(position / limit.max) * limit.per : Number.NaN;
  // A stored limit may be any text, and a place far behind may come after the end of time.
  const isTime = !Number.isNaN(new Date(start).getTime());
  return { by, position, estimatedStart: isTime ? start : null };
}

/** The first reason that applies. What a person has to change comes before what passes by itself. */
function reasonOf({ isPaused, isMaxed, limitedFor }: QueueBlock, hasWorker: boolean): BlockReason | null {
  if (isPaused) return 'paused';
  if (!hasWorker) return 'no-worker';
  if (limitedFor > 0) return 'rate-limit';
  return isMaxed ? 'concurrency' : null;
}
