import { MAX_TIMER } from './duration.js';

/** A timer for any duration. Node's own fires at once when its delay is over 24.8 days. */
export class LongTimer {
  private timer: NodeJS.Timeout | undefined;
  private keepsAlive = true;

  constructor(callback: () => void, milliseconds: number) {
    this.start(callback, milliseconds);
  }

  clear(): void {
    clearTimeout(this.timer);
  }

  /** Lets the process end while the timer waits. */
  unref(): this {
    this.keepsAlive = false;
    this.timer?.unref();
    return this;
  }

  private start(callback: () => void, left: number): void {
    const delay = Math.min(left, MAX_TIMER);
    this.timer = setTimeout(() => (left > delay ? this.start(callback, left - delay) : callback()), delay);
    if (!this.keepsAlive) this.timer.unref();
  }
}
