import { MAX_TIMER } from '../duration.js';
import type { Clock } from '../engine/clock.js';

interface Timer {
  readonly at: number;
  readonly fire: () => void;
}

/** The time of the system, also where a test runner fakes it, and what the test has added to it. */
export class TestClock implements Clock {
  private added = 0;
  private readonly timers = new Set<Timer>();

  now(): number {
    return Date.now() + this.added;
  }

  setTimer(callback: () => void, milliseconds: number): () => void {
    const handle = setTimeout(() => timer.fire(), Math.min(milliseconds, MAX_TIMER)).unref();
    const remove = () => {
      clearTimeout(handle);
      this.timers.delete(timer);
    };
    const timer: Timer = {
      at: this.now() + milliseconds,
      fire: () => {
        remove();
        callback();
      },
    };
    this.timers.add(timer);
    return remove;
  }

  /** Adds to the time, and calls the timers that are due by then. */
  advance(milliseconds: number): void {
    this.added += milliseconds;
    const now = this.now();
    for (const timer of [...this.timers].filter(({ at }) => at <= now).toSorted((a, b) => a.at - b.at)) timer.fire();
  }

  reset(): void {
    this.added = 0;
  }
}
