import { bullmq } from '../bullmq-package.cjs';
import type { JobEntry } from '../jobs/job-data.js';
import { LANE_SCHEMA } from './lane/lane-statement.js';
import { PlannedStatement } from './planned-statement.js';
import { TRIM_EVENTS } from './trim-events.js';

/** Between two values of a column. JSON has no such character outside of escapes, and neither have ids and names. */
const SEPARATOR = '\x1e';
const COLUMNS = 5;

/** @param first the number of the first parameter */
function columnsFrom(first: number): string {
  const columns = Array.from({ length: COLUMNS }, (_, place) => `string_to_array($${first + place}, chr(30), '')`);
  return columns.join(', ');
}

/**
 * Stores jobs that are neither keyed nor members of others, as BullMQ's `add_jobs_bulk` does it: the same rows, events and
 * notifications. That function makes two temporary tables at each call, which takes several times as long as storing the jobs. This is
 * one statement, which leaves nothing behind in the catalog of the database, and needs no right to create anything.
 *
 * $1 is the queue, $2 the sequence that orders the jobs, the others are the columns of {@link toColumns}. A list of JSON objects would
 * be easier to read, but takes PostgreSQL five times as long.
 */
const STATEMENT = `
WITH gate AS MATERIALIZED (
  SELECT versions.fits, versions.fits
      AND pg_advisory_xact_lock_shared(hashtext('bullmq:finalization'), hashtext($1))::text IS NOT NULL AS is_open,
    COALESCE((SELECT value FROM meta WHERE queue = $1 AND field = 'opts.maxLenEvents'), '10000')::bigint AS kept_events
  FROM (SELECT max(version) = ${LANE_SCHEMA} AS fits FROM migration) AS versions
), added AS (
  INSERT INTO job (queue, id, seq, name, state, data, opts, priority, delay_ms, max_attempts, added_at_ms, process_at_ms)
  SELECT $1, id, nextval($2::regclass), name, (CASE WHEN delay > 0 THEN 'delayed' ELSE 'waiting' END)::job_state, data::jsonb,
    COALESCE(entry.opts, '{}'), COALESCE((entry.opts ->> 'priority')::integer, 0), COALESCE(delay, 0),
    COALESCE((entry.opts ->> 'attempts')::integer, 1), entry.added, CASE WHEN delay > 0 THEN entry.added + delay END
  FROM unnest(${columnsFrom(3)}) AS list (id, name, data, opts, added)
    CROSS JOIN LATERAL (SELECT list.opts::jsonb, list.added::bigint) AS entry (opts, added)
    CROSS JOIN LATERAL (SELECT (entry.opts ->> 'delay')::bigint) AS later (delay)
  WHERE (SELECT is_open FROM gate)
  ON CONFLICT (queue, id) DO NOTHING
  RETURNING id, name, seq, state, process_at_ms
), news AS (
  INSERT INTO event (queue, event, data, created_at_ms)
  SELECT $1, told.event, told.data, (extract(epoch FROM clock_timestamp()) * 1000)::bigint
  FROM added CROSS JOIN LATERAL (VALUES
    (1, 'added', jsonb_build_object('jobId', id, 'name', name)),
    (2, state::text, CASE WHEN state = 'delayed' THEN jsonb_build_object('jobId', id, 'delay', process_at_ms)
      ELSE jsonb_build_object('jobId', id) END)
  ) AS told (step, event, data)
  ORDER BY seq, step
  RETURNING id
), ${TRIM_EVENTS}
SELECT fits,
  CASE WHEN EXISTS (SELECT FROM added) THEN pg_notify('bullmq_jobs', $1)::text END AS told_workers,
  CASE WHEN EXISTS (SELECT FROM news) AND pg_try_advisory_xact_lock(hashtext('bullmq:evnotify:' || $1))
    THEN pg_notify('bullmq_events', $1)::text END AS told_listeners
FROM gate`;

/** The statement that stores jobs, with the parameters of {@link STATEMENT}. */
export const ADD_PLAIN_JOBS = new PlannedStatement({
  name: 'add_plain_jobs',
  statement: STATEMENT,
  parameters: 'text, regclass, text, text, text, text, text',
  columns: 'fits boolean, told_workers text, told_listeners text',
});

/** The row that {@link ADD_PLAIN_JOBS} gives. */
export interface PlainJobsRow {
  /** Whether the tables have the version {@link LANE_SCHEMA}. If not, the statement has done nothing. */
  readonly fits: boolean;
}

/** The sequence that orders the jobs, as {@link ADD_PLAIN_JOBS} takes it. */
export function orderOf(schema: string): string {
  return `${bullmq.quoteSchemaName(schema)}.job_seq`;
}

/**
 * Jobs as {@link ADD_PLAIN_JOBS} takes them: their ids, names, data, options and times, each column as one text. A column with nothing is
 * empty: the job has no options.
 */
export function toColumns(jobs: readonly JobEntry[]): string[] {
  return [
    jobs.map(({ jobId }) => jobId),
    jobs.map(({ job: { name } }) => name),
    jobs.map(({ job: { data } }) => data),
    jobs.map(({ job: { opts } }) => (Object.keys(opts).length === 0 ? '' : JSON.stringify(opts))),
    jobs.map(({ job: { timestamp } }) => timestamp),
  ].map((column) => column.join(SEPARATOR));
}
