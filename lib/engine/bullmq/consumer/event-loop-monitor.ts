/** How often it looks. */
const INTERVAL = 500;

/** Notices that the event loop stood still: nothing else could run meanwhile, nor could a hold on a task be renewed. */
export class BlockedLoop {
  private last = performance.now();
  private readonly timer: NodeJS.Timeout;

  /**
   * @param limit milliseconds that are too long
   * @param onBlocked told once for each time, as soon as the loop turns again
   */
  constructor(
    private readonly limit: number,
    private readonly onBlocked: (milliseconds: number) => void,
  ) {
    this.timer = setInterval(() => this.look(), INTERVAL).unref();
  }

  /** To be called also when a task ends: the one that stood in the way may be gone before the timer's turn comes. */
  look(): void {
    const now = performance.now();
    const late = now - this.last - INTERVAL;
    this.last = now;
    if (late > this.limit) this.onBlocked(late);
  }

  stop(): void {
    clearInterval(this.timer);
  }
}
