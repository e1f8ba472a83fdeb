import type { JobsOptions } from 'bullmq';
import type { JobEntry } from '../jobs/job-data.js';

/** A row of {@link ADD_KEYED_JOBS}. */
export interface KeyedRow {
  /** The index of the job. */
  readonly place: number;
  /** The id under which the job, or the earlier one that stands for it, is stored. `null`: its key is locked. */
  readonly id: string | null;
}

/**
 * Stores the jobs of the list $1, of which some have deduplication keys, but for those whose keys an open transaction has locked: BullMQ's `add_flow` would
 * wait for that transaction, with all jobs of the list. The lock is that of BullMQ, and belongs to this statement once it is taken.
 */
export const ADD_KEYED_JOBS = `
WITH entries AS MATERIALIZED (
  SELECT entry, place::integer - 1 AS place,
         CASE WHEN entry ->> 'dedupId' IS NULL THEN true
           ELSE pg_try_advisory_xact_lock(hashtext('bullmq:dedup:' || (entry ->> 'queue') || ':' || (entry ->> 'dedupId')))
         END AS is_free
    FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS list (entry, place)
), free AS MATERIALIZED (
  SELECT place, row_number() OVER (ORDER BY place) AS nth FROM entries WHERE is_free
), added AS MATERIALIZED (
  SELECT id, nth FROM add_flow((SELECT coalesce(jsonb_agg(entry ORDER BY place), '[]') FROM entries WHERE is_free))
    WITH ORDINALITY AS stored (id, nth)
)
SELECT entries.place, added.id
  FROM entries LEFT JOIN free USING (place) LEFT JOIN added USING (nth) ORDER BY entries.place`;

/** The form in which `add_flow` takes a job. */
export function toFlowEntry(queue: string, { job, jobId }: JobEntry): object {
  const opts: JobsOptions = job.opts ?? {};
  const delay = job.delay ?? opts.delay ?? 0;
  return {
    ...{ queue, id: jobId, name: job.name, data: job.data },
    opts: job.delay === undefined ? opts : { ...opts, delay },
    priority: job.priority ?? opts.priority ?? 0,
    ...{ delay, timestamp: job.timestamp, attempts: opts.attempts ?? 1 },
    dedupId: job.deduplicationId,
    lifo: opts.lifo ?? false,
    addToWaitingChildren: false,
  };
}
