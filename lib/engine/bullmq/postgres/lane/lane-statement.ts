import { bytesOf } from '../bytes-of-jobs.js';
import { PlannedStatement } from '../planned-statement.js';
import { TRIM_EVENTS } from '../trim-events.js';
import type { TakenRow } from './taken-job.js';

/** The version of BullMQ's tables for which {@link LANE} was written. */
export const LANE_SCHEMA = 11;

/**
 * Bytes of the arguments of the jobs that {@link LANE} takes; the last one may exceed them. For a hundred calls of a megabyte the server
 * would take longer than a statement may take, and the jobs that it took would be lost until their locks end.
 */
const LARGEST_TAKE = 2_000_000;
const SIZE = bytesOf('data');

/**
 * Ends the jobs of one queue and takes as many others, as BullMQ's `move_to_completed_fetch` does it for each job by itself. All of
 * it is one statement and one commit, with the same rows and the same events.
 *
 * $1 is the queue. $2 to $5 belong together: ids, tokens of the locks, results, and times of the ends. $6 are the tokens among $3
 * that want another job, $7 further tokens that want a job, $8 the time, $9 the length of a lock, $10 the name of the worker. $11 to $13
 * belong together: messages that are sent with the commit if the job of this id is ended, as ids, channels and texts.
 *
 * - The statement waits for nothing: it skips the rows that another transaction has locked, and does nothing while the queue is
 *   being obliterated. So it takes part in no deadlock. What it skips is left out of `ended`, and BullMQ's own function ends it.
 * - It ends only jobs that run under their token and have no parent, key, scheduler or open members. It takes none while the
 *   queue has a limit (`limited`), or delayed jobs that are due (`due`), which BullMQ's own function makes wait first.
 * - It takes no further job once it has taken {@link LARGEST_TAKE} bytes: `cut` has how many it takes. It looks at their sizes before it
 *   locks any, so that another worker may take the others meanwhile.
 * - A row is found by its primary key and changed at its physical place, which holds because the statement has locked it. So no
 *   statistics lead PostgreSQL to read the whole queue. The cast of `state` hides the index of active jobs from it.
 * - A row that another transaction changes after the snapshot of the statement and before its lock is found at a place that the snapshot
 *   does not see. It is not changed: a job is not in `ended` then, and its token gets no other job.
 */
const STATEMENT = `
WITH gate AS MATERIALIZED (
  SELECT versions.fits, versions.fits
      AND pg_try_advisory_xact_lock_shared(hashtext('bullmq:finalization'), hashtext($1)) AS is_open,
    bool_or(field = 'paused' AND value = '1') IS TRUE AS paused,
    bool_or(field IN ('concurrency', 'max')) IS TRUE AS limited,
    COALESCE(max(value) FILTER (WHERE field = 'opts.maxLenEvents'), '10000')::bigint AS kept_events,
    EXISTS (SELECT FROM job WHERE queue = $1 AND state = 'delayed' AND process_at_ms <= $8::bigint) AS due
  FROM (SELECT max(version) = ${LANE_SCHEMA} AS fits FROM migration) AS versions
  LEFT JOIN meta ON queue = $1 AND field IN ('paused', 'concurrency', 'max', 'opts.maxLenEvents')
  GROUP BY versions.fits
), ending AS MATERIALIZED (
  SELECT found.place, wanted.id, wanted.token, wanted.result, wanted.finished_on
  FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[]) AS wanted (id, token, result, finished_on)
  CROSS JOIN LATERAL (
    SELECT job.ctid AS place FROM job
    WHERE queue = $1 AND job.id = wanted.id AND state::text = 'active' AND lock_token = wanted.token
      AND COALESCE(parent_id, parent_queue, dedup_id, scheduler_id) IS NULL
      AND (SELECT count(*) FROM job_dependency
           WHERE parent_queue = $1 AND parent_id = wanted.id AND status IN ('pending', 'failed')) = 0
    LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
  ) AS found
  WHERE (SELECT is_open FROM gate)
), ended AS (
  UPDATE job SET
    state = 'completed',
    return_value =
      (ARRAY(SELECT result FROM ending))[array_position(ARRAY(SELECT place FROM ending), job.ctid)]::jsonb,
    finished_at_ms =
      (ARRAY(SELECT finished_on FROM ending))[array_position(ARRAY(SELECT place FROM ending), job.ctid)],
    lock_token = NULL, locked_until_ms = NULL, attempts_made = attempts_made + 1
  WHERE ctid = ANY (ARRAY(SELECT place FROM ending))
  RETURNING id, return_value
), places AS MATERIALIZED (
  SELECT ARRAY(
    SELECT token FROM ending WHERE token = ANY ($6::text[]) AND id IN (SELECT id FROM ended)
  ) || $7::text[] AS tokens
), cut AS MATERIALIZED (
  SELECT count(*) FILTER (WHERE before < ${LARGEST_TAKE}) AS jobs, count(*) AS of FROM (
    SELECT sum(size) OVER (ORDER BY priority, seq) - size AS before FROM (
      SELECT priority, seq, ${SIZE} AS size FROM job
      WHERE queue = $1 AND state = 'waiting' AND (SELECT is_open AND NOT (paused OR limited OR due) FROM gate)
      ORDER BY priority, seq LIMIT cardinality($6::text[]) + cardinality($7::text[])
    ) AS first
  ) AS list
), upcoming AS MATERIALIZED (
  SELECT ctid AS place FROM job
  WHERE queue = $1 AND state = 'waiting' AND (SELECT is_open AND NOT (paused OR limited OR due) FROM gate)
  ORDER BY priority, seq FOR NO KEY UPDATE SKIP LOCKED
  LIMIT (SELECT CASE WHEN jobs < of THEN jobs ELSE cardinality($6::text[]) + cardinality($7::text[]) END FROM cut)
), taken AS (
  UPDATE job SET
    state = 'active',
    lock_token = (SELECT tokens FROM places)[array_position(ARRAY(SELECT place FROM upcoming), job.ctid)],
    locked_until_ms = $8::bigint + $9::bigint, processed_at_ms = $8::bigint, processed_by = $10,
    attempts_started = attempts_started + 1
  WHERE ctid = ANY ((ARRAY(SELECT place FROM upcoming))[1:(SELECT cardinality(tokens) FROM places)])
  RETURNING *
), news AS (
  INSERT INTO event (queue, event, data, created_at_ms)
  SELECT $1, event, data, (extract(epoch FROM clock_timestamp()) * 1000)::bigint FROM (
    SELECT 1 AS step, 0 AS priority, 0::bigint AS seq, 'completed' AS event, jsonb_build_object('jobId', id,
      'returnvalue', COALESCE(return_value, 'null')::text, 'prev', 'active') AS data FROM ended
    UNION ALL
    SELECT 2, 0, 0, 'drained', '{}' FROM gate
    WHERE EXISTS (SELECT FROM ended) AND NOT EXISTS (SELECT FROM upcoming)
      AND (paused OR NOT EXISTS (SELECT FROM job WHERE queue = $1 AND state = 'waiting'))
      AND NOT EXISTS (
        SELECT FROM job WHERE queue = $1 AND state = 'active' AND id <> ALL (ARRAY(SELECT id FROM ended)))
    UNION ALL
    SELECT 3, priority, seq, 'active', jsonb_build_object('jobId', id, 'prev', 'waiting') FROM taken
  ) AS list ORDER BY step, priority, seq
  RETURNING id
), ${TRIM_EVENTS}
SELECT fits, is_open AND (limited OR due OR (SELECT jobs < of FROM cut)) AS refers, limited,
  (SELECT json_agg(id) FROM ended) AS ended,
  (SELECT json_agg(taken) FROM taken) AS taken,
  CASE WHEN NOT EXISTS (SELECT FROM taken) THEN
    (SELECT min(process_at_ms) FROM job WHERE queue = $1 AND state = 'delayed') END AS next_delay,
  CASE WHEN EXISTS (SELECT FROM news) AND pg_try_advisory_xact_lock(hashtext('bullmq:evnotify:' || $1))
    THEN pg_notify('bullmq_events', $1)::text END AS notified,
  (SELECT count(pg_notify(channel, text)) FROM unnest($11::text[], $12::text[], $13::text[]) AS message (id, channel, text)
    WHERE id IN (SELECT id FROM ended)) AS sent
FROM gate`;

/** The statement that stores ends and takes jobs, with the parameters of {@link STATEMENT}. */
export const LANE = new PlannedStatement({
  name: 'lane',
  statement: STATEMENT,
  parameters: 'text, text[], text[], text[], bigint[], text[], text[], bigint, bigint, text, text[], text[], text[]',
  columns:
    'fits boolean, refers boolean, limited boolean, ended json, taken json, next_delay bigint, notified text, sent bigint',
});

/** The row that {@link LANE} gives. */
export interface LaneRow {
  /** Whether the tables have the version {@link LANE_SCHEMA}. If not, the statement has done nothing. */
  readonly fits: boolean;
  /** Whether the queue has a limit of its own. */
  readonly limited: boolean;
  /** Whether BullMQ's own function has to take the next jobs. */
  readonly refers: boolean;
  /** The ids of the jobs whose ends are stored. */
  readonly ended: readonly string[] | null;
  readonly taken: readonly TakenRow[] | null;
  /** The time at which the next delayed job is due, unless jobs were taken. */
  readonly next_delay: string | null;
}
