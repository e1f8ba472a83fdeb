/**
 * How long a caller who runs a task again waits, in milliseconds, for a worker that still ends it because it was cancelled. A method that
 * ignores its signal has 250 ms, and then its end is stored. A worker that needs longer runs the task again by itself.
 */
export const CANCELLED_WITHIN = 2_000;
