import type { Engine } from '../engine/engine.js';
import type { QueueBlock } from '../engine/ports/block-port.js';
import { isAlive } from '../engine/ports/worker-registry.js';
import type { BlockReason, TaskBlock, TaskRecord } from '../engine/task.js';

export interface BlockedTasksDeps {
  readonly engine: Pick<Engine, 'blockOf' | 'workers' | 'now'>;
  /** The starts that the rate limit of the queue allows in a period; `undefined` without a limit. */
  readonly maxStarts: (queue: string) => number | undefined;
}

/** Milliseconds for which the answer for a queue is used again. */
const KEEP_FOR = 1_000;

interface Answer {
  readonly at: number;
  readonly block: Promise<TaskBlock | undefined>;
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
    const block = await this.blockOf(record.queue);
    return block ? { ...record, block } : record;
  }

  private blockOf(queue: string): Promise<TaskBlock | undefined> {
    const now = performance.now();
    const known = this.answers.get(queue);
    if (known && now - known.at < KEEP_FOR) return known.block;
    // The reason is a hint: the status of the task is known without it.
    const block = this.ask(queue).catch(() => undefined);
    for (const [other, { at }] of this.answers) if (now - at >= KEEP_FOR) this.answers.delete(other);
    this.answers.set(queue, { at: now, block });
    return block;
  }

  private async ask(queue: string): Promise<TaskBlock | undefined> {
    const { engine, maxStarts } = this.deps;
    const [block, workers] = await Promise.all([engine.blockOf(queue, maxStarts(queue)), engine.workers.list()]);
    const now = engine.now();
    const hasWorker = workers.some((worker) => worker.queues.includes(queue) && isAlive(worker, now));
    return { by: reasonOf(block, hasWorker), position: null, estimatedStart: null };
  }
}

/** The first reason that applies. What a person has to change comes before what passes by itself. */
function reasonOf({ isPaused, isMaxed, limitedFor }: QueueBlock, hasWorker: boolean): BlockReason | null {
  if (isPaused) return 'paused';
  if (!hasWorker) return 'no-worker';
  if (limitedFor > 0) return 'rate-limit';
  return isMaxed ? 'concurrency' : null;
}
