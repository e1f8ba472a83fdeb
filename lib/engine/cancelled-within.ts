/**
 * How long a task that is run again waits, in milliseconds, for a worker that still ends it because it was cancelled. A method that
 * ignores its signal has 250 ms, and then its end is stored.
 */
export const CANCELLED_WITHIN = 2_000;
