import type { IQueueBackend } from 'bullmq';
import type { RateWindows } from '../driver.js';

/** Milliseconds for which it is not read again whether the queue has a stored rate limit. */
const FRESH_FOR = 2_000;
/** The most starts that wait to be given back. */
const LARGEST_LIST = 10_000;

export interface UnusedStartsDeps {
  readonly queue: string;
  readonly backend: Pick<IQueueBackend, 'getQueueMetaFields'>;
  readonly rateWindows: Pick<RateWindows, 'returnToken'>;
  /** Milliseconds: the window of the rate limit that the worker declares, if it declares one. */
  readonly window: number | undefined;
  /** Called when a start was given back, so that the limit has room for another. */
  readonly onRoom: () => void;
}

/**
 * Gives back what jobs used up of a rate limit that were taken and did not run: BullMQ counts every job that a worker takes, and
 * the limit is for those that run.
 *
 * An administrator may set a limit for any queue at any time. So that most queues do not pay for it, the limit is read at most
 * once in two seconds, and what is taken meanwhile is given back afterwards.
 */
export class UnusedStarts {
  private hasLimit = false;
  private readAt = -Infinity;
  /** The times at which jobs were taken. */
  private waiting: number[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly deps: UnusedStartsDeps) {}

  /** @param takenAt the time of `performance.now()` at which a worker took the job */
  giveBack(takenAt: number): Promise<void> | undefined {
    if (this.deps.window !== undefined || (this.hasLimit && performance.now() - this.readAt < FRESH_FOR))
      return this.giveBackNow(takenAt);
    if (this.waiting.length < LARGEST_LIST) this.waiting.push(takenAt);
    const wait = Math.max(this.readAt + FRESH_FOR - performance.now(), 0);
    this.timer ??= setTimeout(() => void this.giveBackWaiting(), wait).unref();
    return undefined;
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  private async giveBackWaiting(): Promise<void> {
    this.readAt = performance.now();
    this.timer = undefined;
    const taken = this.waiting;
    this.waiting = [];
    try {
      const [max] = await this.deps.backend.getQueueMetaFields(['max']);
      this.hasLimit = max !== null && max !== undefined;
    } catch {
      // The store cannot be reached. The next jobs wait a little longer.
      return;
    }
    if (this.hasLimit) for (const takenAt of taken) await this.giveBackNow(takenAt);
  }

  private async giveBackNow(takenAt: number): Promise<void> {
    const { rateWindows, queue, window, onRoom } = this.deps;
    const heldFor = Math.floor(performance.now() - takenAt);
    // The next jobs wait a little longer when the server cannot be reached.
    await rateWindows.returnToken(queue, { window, heldFor }).then(onRoom, () => undefined);
  }
}
