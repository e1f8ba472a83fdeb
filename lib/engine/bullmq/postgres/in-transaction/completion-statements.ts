import type { SchemaFunction } from '../schema-functions.js';

/** The table of the successes that tasks have stored in transactions of their own, until their ends are stored. */
const COMPLETION_TABLE = 'task_queue_completion';
/** The function that stores such a success. Its answers are those of the function in enqueue-function.ts. */
export const COMPLETE_FUNCTION: SchemaFunction = {
  name: 'task_queue_complete_1',
  parameters: 'text',
  table: COMPLETION_TABLE,
  create: createCompletion,
};

/**
 * The statements that create table, trigger and function. @param schema the quoted name of the schema
 *
 * The row of a success and the writes of the task are one commit. The row of the job stays as it is, so an open transaction does not
 * block the renewal of locks, a cancel, or the ends of other tasks of a workflow. The worker that ends the task then finds the row:
 * the one that ran the method or, when that worker has died, the next one that takes the task.
 *
 * - The primary key lets one attempt of a task store a success, whatever became of the others.
 * - The trigger runs at the commit. It refuses a transaction that is older than `abandonedAfter`, or whose attempt has ended
 *   meanwhile, and locks the job's row until the commit is done, so that the attempt cannot end in between.
 */
function createCompletion(schema: string): string {
  const head = `SET search_path = ${schema}, pg_catalog, pg_temp`;
  return `
CREATE TABLE ${schema}.${COMPLETION_TABLE} (
  queue text NOT NULL, id text NOT NULL, token text NOT NULL, result jsonb, completed_at_ms bigint NOT NULL,
  refused_from_ms bigint NOT NULL, PRIMARY KEY (queue, id));

CREATE FUNCTION ${schema}.task_queue_check_completion() RETURNS trigger LANGUAGE plpgsql ${head} AS $task_queue$
BEGIN
  PERFORM FROM job WHERE queue = NEW.queue AND id = NEW.id AND state = 'active' AND lock_token = NEW.token FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'TQ002', MESSAGE = 'completeIn(): the attempt of task ' || NEW.id ||
      ' has ended, or another worker has the task. The transaction is refused.';
  END IF;
  IF extract(epoch FROM clock_timestamp()) * 1000 > NEW.refused_from_ms THEN
    RAISE EXCEPTION USING ERRCODE = 'TQ002', MESSAGE = 'completeIn(): the transaction of task ' || NEW.id ||
      ' was open for longer than abandonedAfter. It is refused.';
  END IF;
  RETURN NULL;
END;
$task_queue$;

CREATE CONSTRAINT TRIGGER check_at_commit AFTER INSERT ON ${schema}.${COMPLETION_TABLE}
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ${schema}.task_queue_check_completion();

CREATE FUNCTION ${schema}.${COMPLETE_FUNCTION.name}(p_request text) RETURNS text LANGUAGE plpgsql ${head}
SET lock_timeout = 0
AS $task_queue$
DECLARE
  v_request jsonb := p_request::jsonb;
  v_now     bigint := extract(epoch FROM clock_timestamp()) * 1000;
  v_token   text;
BEGIN
  IF (SELECT encode(sha256(convert_to(data ->> 'secret', 'UTF8')), 'hex') FROM job
       WHERE queue = '_schedules' AND id = 'secret') IS DISTINCT FROM v_request ->> 'store' THEN
    RETURN '{"error":"store"}';
  END IF;
  PERFORM FROM job WHERE queue = v_request ->> 'queue' AND id = v_request ->> 'id'
    AND state = 'active' AND lock_token = v_request ->> 'token';
  IF NOT FOUND THEN
    RETURN '{"error":"lost"}';
  END IF;
  BEGIN
    -- Another attempt of the task may have a transaction open.
    PERFORM set_config('lock_timeout', v_request ->> 'timeout', true);
    INSERT INTO ${COMPLETION_TABLE} (queue, id, token, result, completed_at_ms, refused_from_ms)
    VALUES (v_request ->> 'queue', v_request ->> 'id', v_request ->> 'token', v_request -> 'result', v_now,
      v_now + (v_request ->> 'abandonedAfter')::bigint)
    ON CONFLICT (queue, id) DO NOTHING RETURNING token INTO v_token;
  EXCEPTION WHEN lock_not_available THEN
    RETURN '{"error":"busy"}';
  END;
  IF v_token IS NULL THEN
    RETURN '{"error":"done"}';
  END IF;
  RETURN jsonb_build_object('xid', pg_current_xact_id()::text)::text;
END;
$task_queue$;`;
}

/** The success of the job $2 of the queue $1, if there is one. */
export const SELECT_COMPLETION = `SELECT result FROM ${COMPLETION_TABLE} WHERE queue = $1 AND id = $2`;

export const DELETE_COMPLETION = `DELETE FROM ${COMPLETION_TABLE} WHERE queue = $1 AND id = $2`;

/** Deletes the successes whose jobs have ended for more than a day: the workers that ended them died right after that. */
export const DELETE_OLD_COMPLETIONS = `
DELETE FROM ${COMPLETION_TABLE} AS completion
 WHERE completed_at_ms < extract(epoch FROM clock_timestamp()) * 1000 - 86400000
   AND NOT EXISTS (SELECT FROM job WHERE job.queue = completion.queue AND job.id = completion.id
     AND job.state NOT IN ('completed', 'failed'))`;

/** The jobs whose queues are $1 and whose ids are $2, as `SELECT_JOBS` finds them, each with its success. */
export const SELECT_JOBS_AND_COMPLETIONS = `
SELECT found.*, place, completion.completed_at_ms, completion.result AS completion_result
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted (queue, id, place)
CROSS JOIN LATERAL (SELECT * FROM job WHERE job.queue = wanted.queue AND job.id = wanted.id LIMIT 1) AS found
LEFT JOIN LATERAL (
  SELECT completed_at_ms, result FROM ${COMPLETION_TABLE} AS c WHERE c.queue = wanted.queue AND c.id = wanted.id LIMIT 1
) AS completion ON true
ORDER BY place`;
