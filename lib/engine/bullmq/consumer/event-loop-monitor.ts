/** Milliseconds between two measurements. */
const INTERVAL = 500;

/** Notices that the event loop was blocked: no timer ran meanwhile, and no lock on a task was renewed. */
export class EventLoopMonitor {
  private last = performance.now();
  private readonly timer: NodeJS.Timeout;

  /**
   * @param limit a block of more milliseconds is reported
   * @param onBlocked called once for each block, as soon as the loop turns again
   */
  constructor(
    private readonly limit: number,
    private readonly onBlocked: (milliseconds: number) => void,
  ) {
    this.timer = setInterval(() => this.measure(), INTERVAL).unref();
  }

  /** Called also when a task ends: a task that blocked the loop may be gone before the timer runs. */
  measure(): void {
    const now = performance.now();
    const late = now - this.last - INTERVAL;
    this.last = now;
    if (late > this.limit) this.onBlocked(late);
  }

  stop(): void {
    clearInterval(this.timer);
  }
}
