import type { JobJson, JobState } from 'bullmq';
import type { FoundJob } from '../stored-jobs.js';

/** A row of BullMQ's table `job`. A bigint is a text. */
export interface JobRow {
  readonly queue: string;
  readonly id: string;
  readonly name: string;
  readonly state: JobState;
  readonly data: unknown;
  readonly opts: object;
  readonly progress: JobJson['progress'] | null;
  readonly return_value: unknown;
  readonly stacktrace: unknown;
  readonly failed_reason: string | null;
  readonly deferred_failure: string | null;
  readonly priority: number;
  readonly attempts_made: number;
  readonly attempts_started: number;
  readonly stalled_count: number;
  readonly processed_by: string | null;
  readonly added_at_ms: string;
  readonly delay_ms: string;
  readonly processed_at_ms: string | null;
  readonly finished_at_ms: string | null;
  readonly dedup_id: string | null;
  readonly scheduler_id: string | null;
  readonly parent_id: string | null;
  readonly parent_queue: string | null;
  readonly parent_key: string | null;
}

/**
 * The rows of the jobs whose queues are $1 and whose ids are $2, each with its place among them. The subquery with a limit makes PostgreSQL use the primary
 * key for each job. A join may read the whole table, as long as the table has no statistics.
 */
export const SELECT_JOBS = `
SELECT found.*, place FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted (queue, id, place)
CROSS JOIN LATERAL (SELECT * FROM job WHERE job.queue = wanted.queue AND job.id = wanted.id LIMIT 1) AS found
ORDER BY place`;

/** The jobs $2 of the queue $1 that can get a mark. */
const CANCELLABLE = `queue = $1 AND id = ANY($2::text[]) AND state NOT IN ('completed', 'failed')
  AND jsonb_typeof(data) = 'object' AND NOT data ?| ARRAY['cancelled', 'failed']`;

const CANCEL = `
UPDATE job SET data = data
  || jsonb_build_object('cancelled', ($3::jsonb -> id) || jsonb_build_object('starts', attempts_started, 'running', state = 'active'))`;

/**
 * Cancels the jobs $2 of the queue $1 with the marks $3, by id. It leaves out the rows that another transaction has locked:
 * a statement that waits for one row while it keeps others could end in a deadlock with BullMQ's own statements.
 */
export const CANCEL_FREE_JOBS = `${CANCEL}
WHERE queue = $1 AND id = ANY(ARRAY(SELECT id FROM job WHERE ${CANCELLABLE} FOR UPDATE SKIP LOCKED))
RETURNING *`;

/** The same for a single job. It waits for the lock. */
export const CANCEL_JOB = `${CANCEL} WHERE ${CANCELLABLE} RETURNING *`;

/**
 * Marks the job $2 of the queue $1 as failed by a member with the mark $3, unless a worker has it, it has ended or has a mark, or a caller
 * has run it again: the number of its reruns has to be $4.
 */
export const FAIL_JOB = `
UPDATE job SET data = data || jsonb_build_object('failed', $3::jsonb)
WHERE queue = $1 AND id = $2 AND state NOT IN ('completed', 'failed', 'active')
  AND jsonb_typeof(data) = 'object' AND NOT data ?| ARRAY['cancelled', 'failed']
  AND COALESCE(data #>> '{rerun,count}', '0') = $4::integer::text
RETURNING *`;

/**
 * Puts a note into the mark of the cancelled job $2 of the queue $1, unless it has ended, or removes it: $3 tells which.
 */
export const RUN_AGAIN = `
UPDATE job SET data = CASE WHEN $3::boolean THEN jsonb_set(data, '{cancelled,again}', 'true'::jsonb)
  ELSE data #- '{cancelled,again}' END
WHERE queue = $1 AND id = $2 AND jsonb_typeof(data) = 'object' AND jsonb_typeof(data -> 'cancelled') = 'object'
  AND (NOT $3::boolean OR state NOT IN ('completed', 'failed'))
RETURNING *`;

/** Replaces the data of the cancelled job $2 of the queue $1 by $3 if its mark has the note of {@link RUN_AGAIN}. */
export const BEGIN_AGAIN = `
UPDATE job SET data = $3::jsonb WHERE queue = $1 AND id = $2 AND data #> '{cancelled,again}' = 'true'::jsonb
RETURNING id`;

/** Gives the job $2 of the queue $1 the options $3, and counts no more than $4 attempts. */
export const MAKE_ENDABLE = `
UPDATE job SET opts = $3::jsonb, attempts_made = LEAST(attempts_made, $4::integer) WHERE queue = $1 AND id = $2`;

/** Promotes the delayed jobs $2 of the queue $1, except those that another transaction has just locked. */
export const PROMOTE_JOBS = `
SELECT promote($1, id) FROM (
  SELECT id FROM job WHERE queue = $1 AND id = ANY($2::text[]) AND state = 'delayed' FOR UPDATE SKIP LOCKED
) AS free`;

const WITH_ARGUMENTS = "(CASE WHEN $3::jsonb IS NULL THEN data ELSE jsonb_set(data, '{args}', $3::jsonb) END)";

/**
 * Changes the job $2 of the queue $1: its arguments to $3, its priority to $4, the time at which it is due to $5, each unless it is
 * null. $6 is the time now. If $7, the job has to wait or to be delayed, and its method was not called; otherwise it has to be delayed,
 * and comes first in its queue afterwards: the number of its place becomes negative, as BullMQ does it.
 */
export const EDIT_JOB = `
WITH changed AS (
  UPDATE job SET
    data = CASE WHEN $5::bigint IS NULL OR data #> '{note,delay}' IS NULL THEN ${WITH_ARGUMENTS}
      ELSE jsonb_set(${WITH_ARGUMENTS}, '{note,delay}',
        CASE WHEN $5::bigint > $6::bigint THEN jsonb_build_object('at', $5::bigint) ELSE '0'::jsonb END) END,
    opts = CASE WHEN $4::integer IS NULL THEN opts ELSE jsonb_set(opts, '{priority}', to_jsonb($4::integer)) END,
    priority = COALESCE($4::integer, priority),
    state = CASE WHEN $5::bigint IS NULL THEN state WHEN $5::bigint > $6::bigint THEN 'delayed'::job_state
      ELSE 'waiting'::job_state END,
    process_at_ms = CASE WHEN $5::bigint IS NULL THEN process_at_ms WHEN $5::bigint > $6::bigint THEN $5::bigint END,
    delay_ms = CASE WHEN $5::bigint IS NULL THEN delay_ms ELSE GREATEST($5::bigint - $6::bigint, 0) END,
    seq = CASE WHEN $7::boolean THEN seq ELSE -abs(seq) END
  WHERE queue = $1 AND id = $2 AND jsonb_typeof(data) = 'object' AND NOT data ?| ARRAY['cancelled', 'failed']
    AND CASE WHEN $7::boolean
      THEN state IN ('waiting', 'delayed') AND attempts_started <= COALESCE((data ->> 'looks')::integer, 0)
      ELSE state = 'delayed' END
  RETURNING queue
)
SELECT pg_notify('bullmq_jobs', queue) FROM changed`;

/** Makes the job $3 hold the deduplication key $2 of the queue $1, unless another holds it. Gives the holder. */
export const HOLD_KEY = `
WITH taken AS (
  INSERT INTO dedup (queue, dedup_id, job_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING job_id
)
SELECT job_id FROM taken UNION ALL SELECT job_id FROM dedup WHERE queue = $1 AND dedup_id = $2 LIMIT 1`;

/**
 * Removes up to $4 jobs of the queue $1 that ended in the state $2 before $3, as BullMQ's `clean` does, but for members of
 * workflows: as long as the job that waited for a member is stored, the member is kept.
 */
export const REMOVE_ENDED = `
WITH old AS MATERIALIZED (
  SELECT id FROM job AS member
   WHERE queue = $1 AND state = $2::job_state AND finished_at_ms <= $3
     AND (parent_id IS NULL OR NOT EXISTS (
       SELECT 1 FROM job AS whole WHERE whole.queue = member.parent_queue AND whole.id = member.parent_id))
   ORDER BY seq LIMIT $4
), links AS (
  DELETE FROM job_dependency WHERE child_queue = $1 AND child_id = ANY(ARRAY(SELECT id FROM old))
)
DELETE FROM job WHERE queue = $1 AND id = ANY(ARRAY(SELECT id FROM old)) RETURNING id`;

/** The job in a row, as BullMQ's `getJobData` and `getState` give it in two queries. */
export function toFoundJob(row: JobRow): FoundJob {
  const json = {
    id: row.id,
    name: row.name,
    data: JSON.stringify(row.data),
    opts: row.opts,
    progress: row.progress ?? 0,
    attemptsMade: row.attempts_made,
    attemptsStarted: row.attempts_started,
    finishedOn: toNumber(row.finished_at_ms),
    processedOn: toNumber(row.processed_at_ms),
    timestamp: Number(row.added_at_ms),
    delay: Number(row.delay_ms),
    priority: row.priority,
    failedReason: row.failed_reason ?? undefined,
    stacktrace: JSON.stringify(row.stacktrace ?? []),
    returnvalue: JSON.stringify(row.return_value ?? null),
    parent: row.parent_id === null ? undefined : { id: row.parent_id, queueKey: row.parent_queue ?? '' },
    parentKey: row.parent_key ?? undefined,
    repeatJobKey: row.scheduler_id ?? undefined,
    deduplicationId: row.dedup_id ?? undefined,
    deferredFailure: row.deferred_failure ?? undefined,
    processedBy: row.processed_by ?? undefined,
    stalledCounter: row.stalled_count,
  };
  // A waiting job with a priority has a state of its own in BullMQ.
  const state = row.state === 'waiting' && row.priority > 0 ? 'prioritized' : row.state;
  return { json: json as unknown as JobJson, state };
}

function toNumber(bigint: string | null): number | undefined {
  return bigint === null ? undefined : Number(bigint);
}
