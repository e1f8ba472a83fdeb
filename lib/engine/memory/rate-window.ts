import type { ConsumerOptions } from '../ports/worker-port.js';

type RateLimit = NonNullable<ConsumerOptions['rateLimit']>;

/** Counts the starts of one queue in periods. A period begins with the first start after the one before. */
export class RateWindow {
  private startedAt = -Infinity;
  private starts = 0;

  /** The time at which the next task may start; at most `now` when it may start now. */
  nextStart({ max, per }: RateLimit, now: number): number {
    return this.starts < max || this.isInFuture(now) ? -Infinity : this.startedAt + per;
  }

  count({ per }: RateLimit, now: number): void {
    if (this.startedAt + per <= now || this.isInFuture(now)) {
      this.startedAt = now;
      this.starts = 0;
    }
    this.starts++;
  }

  /** Whether the clock was put back since the period began: it may take long until that time comes again. */
  private isInFuture(now: number): boolean {
    return this.startedAt > now;
  }

  /** @returns whether a task that started at this time was counted, and is no longer */
  giveBack(startedAt: number): boolean {
    if (this.starts === 0 || startedAt < this.startedAt) return false;
    this.starts--;
    return true;
  }
}
