import { MAX_TIMER } from '../duration.js';

/** The time that running tasks may still take. It only gets shorter: the earliest end counts. */
export class GracePeriod {
  private end = Infinity;
  private timer: NodeJS.Timeout | undefined;
  private onOver: (() => void) | undefined;

  /** Ends the period after `milliseconds`, unless it ends before. `Infinity` sets no end. */
  limit(milliseconds: number): void {
    const end = performance.now() + milliseconds;
    if (end >= this.end) return;
    this.end = end;
    this.startTimer();
  }

  /** Whether the promise is fulfilled before the period is over. To be called once. */
  async covers(promise: Promise<unknown>): Promise<boolean> {
    const over = new Promise<false>((resolve) => {
      this.onOver = () => resolve(false);
    });
    this.startTimer();
    try {
      return await Promise.race([promise.then(() => true), over]);
    } finally {
      clearTimeout(this.timer);
      this.onOver = undefined;
    }
  }

  /** Only while a promise is waited for: a timer keeps the process alive. */
  private startTimer(): void {
    const { onOver, end } = this;
    if (!onOver) return;
    clearTimeout(this.timer);
    const rest = end - performance.now();
    // A timer of Node cannot wait for longer, and fires at once.
    if (rest <= MAX_TIMER) this.timer = setTimeout(onOver, Math.max(rest, 0));
  }
}
