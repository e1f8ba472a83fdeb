import { MAX_TIMER } from '../duration.js';

/** The time by which tasks are due, expire and are removed. A test may give an engine a clock of its own. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /**
   * Calls `callback` once, at the earliest after `milliseconds`. The timer does not keep the process alive. A clock may
   * call earlier when the time is far away: the caller then sets the timer again.
   *
   * @returns removes the timer
   */
  setTimer(callback: () => void, milliseconds: number): () => void;
}

/** The clock of the system. It follows the fake timers of a test runner, because it reads the globals at each call. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimer(callback, milliseconds) {
    const timer = setTimeout(callback, Math.min(milliseconds, MAX_TIMER)).unref();
    return () => clearTimeout(timer);
  },
};
