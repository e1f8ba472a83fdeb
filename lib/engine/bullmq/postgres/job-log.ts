/**
 * Adds the lines $3 to the logs of the jobs whose queues are $1 and whose ids are $2, in their order, and removes all but the
 * last $4 lines of each job. BullMQ's table counts the lines of each job in `idx`, 0 for the first.
 */
export const ADD_LOG_LINES = `
WITH lines AS (
  SELECT queue, id, line, ord,
    row_number() OVER (PARTITION BY queue, id ORDER BY ord) AS place, count(*) OVER (PARTITION BY queue, id) AS total
  FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS added (queue, id, line, ord)
), logs AS (
  SELECT wanted.queue, wanted.id, wanted.total,
    COALESCE((SELECT MAX(idx) + 1 FROM job_log WHERE job_log.queue = wanted.queue AND job_log.job_id = wanted.id), 0) AS start
  FROM (SELECT DISTINCT queue, id, total FROM lines) AS wanted
  CROSS JOIN LATERAL (SELECT FROM job WHERE job.queue = wanted.queue AND job.id = wanted.id LIMIT 1) AS stored
), dropped AS (
  DELETE FROM job_log USING logs
  WHERE job_log.queue = logs.queue AND job_log.job_id = logs.id AND job_log.idx < logs.start + logs.total - $4::bigint
)
INSERT INTO job_log (queue, job_id, idx, row)
SELECT lines.queue, lines.id, logs.start + lines.place - 1, lines.line
FROM lines JOIN logs ON logs.queue = lines.queue AND logs.id = lines.id
WHERE lines.place > lines.total - $4::bigint`;

/** Up to $4 lines of the job $2 of the queue $1 behind the first $3 lines that it has ever had, and two counts of its lines. */
export const READ_LOG_LINES = `
SELECT counts.dropped, counts.kept, lines.text FROM (
  SELECT COALESCE(MIN(idx), 0) AS dropped, COUNT(*) AS kept FROM job_log WHERE queue = $1 AND job_id = $2
) AS counts LEFT JOIN LATERAL (
  SELECT idx, job_log.row AS text FROM job_log WHERE queue = $1 AND job_id = $2 AND idx >= $3::bigint ORDER BY idx LIMIT $4
) AS lines ON true ORDER BY lines.idx`;

/** A row of {@link READ_LOG_LINES}. A bigint is a text. */
export interface LogRow {
  readonly dropped: string;
  readonly kept: string;
  /** `null` in the only row when no line was found. */
  readonly text: string | null;
}

/**
 * SQLSTATE codes of a statement that passes when it is repeated: another process has just added a line to the same job, or
 * removed the job.
 */
export const LOG_CONFLICT = /^(23505|23503)$/;
