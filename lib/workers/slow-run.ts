import { LongTimer } from '../long-timer.js';

/** Warns once of a run that takes longer than a limit, while the run goes on. The timer keeps no process alive. */
export class SlowRun {
  private readonly startedAt = performance.now();
  private readonly timer: LongTimer;
  private hasWarned = false;

  /**
   * @param limit milliseconds
   * @param warn called once, with the milliseconds that the run has taken so far
   */
  constructor(
    private readonly limit: number,
    private readonly warn: (taken: number) => void,
  ) {
    this.timer = new LongTimer(() => this.warnOnce(), limit).unref();
  }

  /** The run has ended. A method that blocked the event loop was too slow although the timer could not fire. */
  end(): void {
    this.timer.clear();
    if (performance.now() - this.startedAt > this.limit) this.warnOnce();
  }

  private warnOnce(): void {
    if (this.hasWarned) return;
    this.hasWarned = true;
    this.warn(Math.round(performance.now() - this.startedAt));
  }
}
