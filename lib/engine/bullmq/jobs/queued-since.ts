import { isTime } from './unreadable-job.js';

/** The fields of a queued job that tell since when it could start. Anything may stand in them. */
export interface QueuedJob {
  readonly timestamp: unknown;
  /** The delay with which the job was added, in milliseconds. */
  readonly delay: unknown;
  /** The beginning of its last attempt. */
  readonly processedOn: unknown;
}

/**
 * The time since when the first of these jobs could start: the time at which it was added, or was due, or last began an attempt.
 * `null` without a job.
 */
export function queuedSince(jobs: readonly QueuedJob[]): number | null {
  const times = jobs.flatMap(({ timestamp, delay, processedOn }) => {
    const added = numberOf(timestamp);
    return [added, added + numberOf(delay), numberOf(processedOn)]
      .filter(isTime)
      .toSorted((a, b) => a - b)
      .slice(-1);
  });
  return times.length === 0 ? null : Math.min(...times);
}

function numberOf(value: unknown): number {
  return typeof value === 'number' || typeof value === 'string' ? Number(value) || Number.NaN : Number.NaN;
}
