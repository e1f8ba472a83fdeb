import type { PgQueryable } from 'bullmq';
import type { JobLines, JobLogs, LineOfJob } from '../driver.js';
import type { JobRef } from '../stored-jobs.js';

/**
 * Adds the lines $3 to the logs of the jobs whose queues are $1 and whose ids are $2, in their order, and removes all but the
 * last $4 lines of each job. BullMQ's table counts the lines of each job in `idx`, 0 for the first.
 */
const ADD_LOG_LINES = `
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
const READ_LOG_LINES = `
SELECT counts.dropped, counts.kept, lines.text FROM (
  SELECT COALESCE(MIN(idx), 0) AS dropped, COUNT(*) AS kept FROM job_log WHERE queue = $1 AND job_id = $2
) AS counts LEFT JOIN LATERAL (
  SELECT idx, job_log.row AS text FROM job_log WHERE queue = $1 AND job_id = $2 AND idx >= $3::bigint ORDER BY idx LIMIT $4
) AS lines ON true ORDER BY lines.idx`;

/** A row of {@link READ_LOG_LINES}. A bigint is a text. */
interface LogRow {
  readonly dropped: string;
  readonly kept: string;
  /** `null` in the only row when no line was found. */
  readonly text: string | null;
}

/**
 * SQLSTATE codes of a statement that passes when it is repeated: another process has just added a line to the same job, or
 * removed the job.
 */
const LOG_CONFLICT = /^(23505|23503)$/;

/** How often lines are added before a conflict with another process is an error. */
const LOG_ATTEMPTS = 5;

/** Adds and reads the lines of logs on PostgreSQL. */
export class PostgresLogs implements JobLogs {
  constructor(private readonly queries: PgQueryable) {}

  /** One statement for all jobs. */
  async add(lines: readonly LineOfJob[], keep: number): Promise<void> {
    const columns = [lines.map(({ queue }) => queue), lines.map(({ id }) => id), lines.map(({ line }) => line)];
    for (let attempt = 1; ; attempt++) {
      try {
        await this.queries.query(ADD_LOG_LINES, [...columns, keep]);
        return;
      } catch (error) {
        const isConflict = LOG_CONFLICT.test((error as { code?: string }).code ?? '');
        if (!isConflict || attempt === LOG_ATTEMPTS) throw error;
      }
    }
  }

  async read({ queue, id }: JobRef, after: number, limit: number): Promise<JobLines> {
    const { rows } = await this.queries.query<LogRow>(READ_LOG_LINES, [queue, id, after, limit]);
    return {
      dropped: Number(rows[0]?.dropped ?? 0),
      kept: Number(rows[0]?.kept ?? 0),
      rows: rows.flatMap(({ text }) => text ?? []),
    };
  }
}
