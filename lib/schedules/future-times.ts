/**
 * Milliseconds. A stored time that is ahead of the engine's clock by more than this was stored while a clock was wrong: that
 * of the host, when the engine is embedded, or that of the server. It is not believed, because schedules would not run until
 * that time comes.
 */
const TOLERANCE = 60_000;

/** The latest time in the store that is believed. */
export function latestBelievable(now: number): number {
  return now + TOLERANCE;
}
