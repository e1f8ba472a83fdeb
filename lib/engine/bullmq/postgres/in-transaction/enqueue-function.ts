import type { SchemaFunction } from '../schema-functions.js';

/**
 * The function that stores calls in a transaction of the application, in one statement. It lives in the schema of the tasks,
 * because the connection belongs to the application: the statement may set nothing, and an error in it would abort the
 * transaction. Its name has a number: a later version of this package that needs another function adds one.
 *
 * The function stores all calls or none. It returns JSON as a text, which every library hands on as it is:
 *
 * - `{ "error": "store" }`: the schema belongs to another store than the caller means.
 * - `{ "error": "conflict", "key", "holder" }`: an earlier task has the idempotency key with other arguments.
 * - `{ "error": "busy" }`: another transaction that has not ended has stored a task with one of the keys.
 * - `{ "ids", "earlier", "xid" }`: for each call the id that stands for it; the jobs that were stored before; the transaction.
 */
export const ENQUEUE_FUNCTION: SchemaFunction = {
  name: 'task_queue_enqueue_1',
  parameters: 'text',
  create: createEnqueueFunction,
};

function createEnqueueFunction(schema: string): string {
  return `
CREATE FUNCTION ${schema}.${ENQUEUE_FUNCTION.name}(p_request text) RETURNS text
LANGUAGE plpgsql
SET search_path = ${schema}, pg_catalog, pg_temp
-- It is set again below. PostgreSQL gives the caller's value back when the function ends.
SET lock_timeout = 0
AS $task_queue$
DECLARE
  v_request jsonb := p_request::jsonb;
  v_jobs    jsonb := v_request -> 'jobs';
  v_now     bigint := (v_request ->> 'now')::bigint;
  v_until   timestamptz := clock_timestamp() + (v_request ->> 'timeout')::integer * interval '1 millisecond';
  v_ids     jsonb := '{}';
  v_earlier jsonb := '[]';
  v_taken   jsonb := '{}';
  v_lock    integer;
  v_entry   jsonb;
  v_place   text;
  v_holder  text;
  v_expires bigint;
  v_ended   bigint;
  v_args    jsonb;
  v_kept    bigint;
  v_job     job%ROWTYPE;
BEGIN
  IF (SELECT encode(sha256(convert_to(data ->> 'secret', 'UTF8')), 'hex') FROM job
       WHERE queue = '_schedules' AND id = 'secret') IS DISTINCT FROM v_request ->> 'store' THEN
    RETURN '{"error":"store"}';
  END IF;

  PERFORM lock_producer_queues(v_jobs);

  IF EXISTS (SELECT FROM jsonb_array_elements(v_jobs) AS jobs (job) WHERE job ->> 'dedupId' IS NOT NULL) THEN
    -- The block is a savepoint: after an error in it, nothing of this call is stored, and its locks are released.
    BEGIN
      -- The locks that BullMQ takes, in the same order in every transaction.
      FOR v_lock IN
        SELECT DISTINCT hashtext('bullmq:dedup:' || (job ->> 'queue') || ':' || (job ->> 'dedupId'))
          FROM jsonb_array_elements(v_jobs) AS jobs (job) WHERE job ->> 'dedupId' IS NOT NULL ORDER BY 1
      LOOP
        PERFORM set_config('lock_timeout',
          GREATEST(ceil(extract(epoch FROM v_until - clock_timestamp()) * 1000), 1)::bigint::text, true);
        PERFORM pg_advisory_xact_lock(v_lock);
      END LOOP;
      FOR v_entry IN
        SELECT job FROM jsonb_array_elements(v_jobs) WITH ORDINALITY AS jobs (job, place)
         WHERE job ->> 'dedupId' IS NOT NULL ORDER BY place
      LOOP
        v_place := jsonb_build_array(v_entry ->> 'queue', v_entry ->> 'dedupId')::text;
        v_args := (v_entry ->> 'data')::jsonb -> 'args';
        v_holder := v_taken #>> ARRAY[v_place, 'id'];
        IF v_holder IS NOT NULL THEN
          -- An earlier call of this list has the same key.
          IF v_entry ->> 'exactKey' IS NOT NULL AND v_args IS DISTINCT FROM v_taken #> ARRAY[v_place, 'args'] THEN
            RAISE EXCEPTION USING ERRCODE = 'TQ001', MESSAGE = jsonb_build_object('error', 'conflict',
              'key', v_entry ->> 'exactKey', 'holder', v_holder)::text;
          END IF;
          v_ids := v_ids || jsonb_build_object(v_entry ->> 'id', v_holder);
          CONTINUE;
        END IF;
        SELECT job_id, expire_at_ms INTO v_holder, v_expires FROM dedup
         WHERE queue = v_entry ->> 'queue' AND dedup_id = v_entry ->> 'dedupId' FOR UPDATE;
        IF FOUND AND COALESCE(v_expires > v_now, true) THEN
          SELECT * INTO v_job FROM job WHERE queue = v_entry ->> 'queue' AND id = v_holder;
          IF FOUND THEN
            v_ended := CASE
              WHEN v_job.state IN ('completed', 'failed') THEN v_job.finished_at_ms
              WHEN jsonb_typeof(v_job.data) = 'object' AND v_job.data ? 'cancelled' AND (v_job.state <> 'active'
                OR v_job.attempts_started > COALESCE(${number("v_job.data #> '{cancelled,starts}'")}, 0))
                THEN COALESCE(${number("v_job.data #> '{cancelled,at}'")}, v_now)
              WHEN v_job.state IN ('waiting', 'delayed')
                AND v_job.attempts_started <= COALESCE(${number("v_job.data -> 'looks'")}, 0)
                AND ${number("v_job.opts #> '{task,expiresAt}'")} <= v_now
                THEN ${number("v_job.opts #> '{task,expiresAt}'")}
            END;
            v_kept := CASE WHEN v_job.state = 'completed'
              THEN COALESCE(${number("v_job.opts #> '{task,resultTtl}'")}, (v_request ->> 'ttl')::bigint)
              ELSE GREATEST(COALESCE(${number("v_job.opts #> '{task,resultTtl}'")}, 0), (v_request ->> 'failedTtl')::bigint) END;
            IF v_ended IS NULL OR (v_entry ->> 'while' = 'retained'
                AND (v_ended + v_kept > v_now OR v_job.parent_key IS NOT NULL)) THEN
              IF v_entry ->> 'exactKey' IS NOT NULL AND v_args IS DISTINCT FROM v_job.data -> 'args' THEN
                RAISE EXCEPTION USING ERRCODE = 'TQ001', MESSAGE = jsonb_build_object('error', 'conflict',
                  'key', v_entry ->> 'exactKey', 'holder', v_holder)::text;
              END IF;
              v_ids := v_ids || jsonb_build_object(v_entry ->> 'id', v_holder);
              v_earlier := v_earlier || to_jsonb(v_job);
              INSERT INTO event (queue, event, data, created_at_ms) VALUES (v_job.queue, 'deduplicated',
                jsonb_build_object('jobId', v_holder, 'deduplicationId', v_entry ->> 'dedupId',
                  'deduplicatedJobId', v_entry ->> 'id'), v_now);
              CONTINUE;
            END IF;
          END IF;
        END IF;
        INSERT INTO dedup (queue, dedup_id, job_id, expire_at_ms) VALUES (v_entry ->> 'queue', v_entry ->> 'dedupId',
          v_entry ->> 'id', v_now + (v_entry ->> 'keyTtl')::bigint)
        ON CONFLICT (queue, dedup_id) DO UPDATE SET job_id = EXCLUDED.job_id, expire_at_ms = EXCLUDED.expire_at_ms;
        v_taken := v_taken || jsonb_build_object(v_place, jsonb_build_object('id', v_entry ->> 'id', 'args', v_args));
      END LOOP;
    EXCEPTION
      WHEN lock_not_available THEN RETURN '{"error":"busy"}';
      WHEN SQLSTATE 'TQ001' THEN RETURN SQLERRM;
    END;
  END IF;

  -- The calls for which no earlier task stands.
  v_jobs := COALESCE((
    SELECT jsonb_agg(job ORDER BY place) FROM jsonb_array_elements(v_jobs) WITH ORDINALITY AS jobs (job, place)
     WHERE NOT v_ids ? (job ->> 'id')), '[]');

  INSERT INTO job (queue, id, seq, name, state, data, opts, priority, delay_ms, max_attempts, added_at_ms, process_at_ms,
                   dedup_id, parent_queue, parent_id, parent_key, pending_deps)
  SELECT job ->> 'queue', job ->> 'id', nextval('job_seq'), job ->> 'name', state::job_state, (job ->> 'data')::jsonb,
         job -> 'opts', (job ->> 'priority')::integer, delay, (job ->> 'attempts')::integer, v_now,
         CASE state WHEN 'delayed' THEN v_now + delay END,
         job ->> 'dedupId', job ->> 'parentQueue', job ->> 'parentId', job ->> 'parentKey', (job ->> 'children')::integer
    FROM (SELECT job, (job ->> 'delay')::bigint AS delay, ${stateOf('job')} AS state
            FROM jsonb_array_elements(v_jobs) WITH ORDINALITY AS jobs (job, place) ORDER BY place OFFSET 0) AS ordered;

  INSERT INTO job_dependency (parent_queue, parent_id, child_queue, child_id, child_key, status)
  SELECT job ->> 'parentQueue', job ->> 'parentId', job ->> 'queue', job ->> 'id',
         (job ->> 'queue') || ':' || (job ->> 'id'), 'pending'
    FROM jsonb_array_elements(v_jobs) AS jobs (job) WHERE job ->> 'parentId' IS NOT NULL;

  INSERT INTO event (queue, event, data, created_at_ms)
  SELECT job ->> 'queue', kind, jsonb_build_object('jobId', job ->> 'id') || more, v_now
    FROM jsonb_array_elements(v_jobs) WITH ORDINALITY AS jobs (job, place),
         LATERAL (VALUES (1, 'added', jsonb_build_object('name', job ->> 'name')),
           (2, ${stateOf('job')}, CASE WHEN ${stateOf('job')} = 'delayed'
             THEN jsonb_build_object('delay', v_now + (job ->> 'delay')::bigint) ELSE '{}' END)) AS both_kinds (step, kind, more)
   ORDER BY place, step;

  PERFORM pg_notify(channel, queue) FROM (
    SELECT DISTINCT channel, job ->> 'queue' AS queue
      FROM jsonb_array_elements(v_jobs) AS jobs (job), (VALUES ('bullmq_events'), ('bullmq_jobs')) AS channels (channel)
     WHERE channel = 'bullmq_events' OR ${stateOf('job')} <> 'waiting-children') AS told;

  RETURN jsonb_build_object('ids', v_ids, 'earlier', v_earlier, 'xid', pg_current_xact_id()::text)::text;
END;
$task_queue$`;
}

/** A number that any client may have stored as something else, which is then null. */
function number(json: string): string {
  return `(CASE WHEN jsonb_typeof(${json}) = 'number' THEN (${json} #>> '{}')::numeric END)`;
}

function stateOf(job: string): string {
  return `CASE WHEN (${job} ->> 'children')::integer > 0 THEN 'waiting-children'
    WHEN (${job} ->> 'delay')::bigint > 0 THEN 'delayed' ELSE 'waiting' END`;
}
