import type { PgQueryable } from 'bullmq';
import { MOST_RUNS } from '../jobs/unreadable-job.js';

/** Lowers counters that BullMQ could not count up any more. They are still larger than any right one. */
const LOWER_COUNTERS = `
UPDATE job SET
  attempts_made = LEAST(attempts_made, $2::integer),
  attempts_started = LEAST(attempts_started, $2::integer),
  stalled_count = LEAST(stalled_count, $2::integer)
WHERE queue = $1 AND state NOT IN ('completed', 'failed')
  AND GREATEST(attempts_made, attempts_started, stalled_count) > $2::integer`;

/** Removes the settings of a queue that BullMQ reads as numbers, and cannot. Those of 9 digits fit into an integer. */
const REMOVE_SETTINGS = `
DELETE FROM meta WHERE queue = $1 AND field IN ('concurrency', 'max', 'duration', 'opts.maxLenEvents')
  AND value !~ CASE field WHEN 'duration' THEN '^-?[0-9]{1,15}$' ELSE '^-?[0-9]{1,9}$' END
RETURNING field`;

/** SQLSTATE: a number is out of range, or a text is no number. */
const NO_NUMBER = /^(22003|22P02)$/;

/** Whether a query could not read a number. */
export function isUnreadableNumber(error: unknown): boolean {
  return NO_NUMBER.test((error as { code?: string }).code ?? '');
}

/**
 * Repairs the numbers of a queue that a query could not read: counters of jobs that are too large, and settings of the queue that are
 * none. By itself, one of them would keep all jobs of the queue from being taken and ended.
 *
 * @param report gets an error for each setting that was removed
 */
export async function repairNumbers(
  queries: PgQueryable,
  queue: string,
  report: (error: Error) => void,
): Promise<void> {
  await queries.query(LOWER_COUNTERS, [queue, MOST_RUNS + 1]);
  const { rows } = await queries.query<{ field: string }>(REMOVE_SETTINGS, [queue]);
  for (const { field } of rows) {
    report(
      new Error(`The setting "${field}" of the queue "${queue}" was not a number, so it was removed. What changed it?`),
    );
  }
}
