/**
 * The statements that may take a job. Their last parameter is the window of the rate limit that the worker declares, `null` for
 * no limit.
 */
const TAKES_JOB = /\b(move_to_active|move_to_completed_fetch|move_to_failed_fetch)(\([^()]*), (\$\d+)\)/;

/**
 * Makes the window of a stored rate limit take precedence over the one that a worker declares. By itself, BullMQ combines the
 * stored number of jobs with the declared window. $1 is the queue.
 */
export function preferStoredLimit(text: string, params: readonly unknown[] = []): string {
  if (params.at(-1) === null || !TAKES_JOB.test(text)) return text;
  return text.replace(
    TAKES_JOB,
    "$1$2, COALESCE((SELECT value::bigint FROM meta WHERE queue = $$1 AND field = 'duration'), $3))",
  );
}
