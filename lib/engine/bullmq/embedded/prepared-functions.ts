import { LANE_STATEMENT } from '../postgres/lane/lane-statement.js';
import { ADD_PLAIN_JOBS } from '../postgres/plain-jobs.js';

/**
 * Functions of the longest statements, so that PGlite prepares each of them once and not each time, which takes as long as running it. A
 * server behind a pooler has no place for such functions. PGlite has one session, and the functions end with it. The setting keeps a
 * plan for small tables from being used when they have grown.
 */
export const CREATE_FUNCTIONS = [
  asFunction(
    'lane',
    LANE_STATEMENT,
    'text, text[], text[], text[], bigint[], text[], text[], bigint, bigint, text',
    'fits boolean, refers boolean, limited boolean, ended json, taken json, next_delay bigint, notified text',
  ),
  asFunction(
    'add_plain_jobs',
    ADD_PLAIN_JOBS,
    'text, regclass, text, text, text, text, text',
    'fits boolean, told_workers text, told_listeners text',
  ),
];

/** Runs {@link LANE_STATEMENT}. */
export const CALL_LANE = 'SELECT * FROM pg_temp.task_queue_lane($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)';
/** Runs {@link ADD_PLAIN_JOBS}. */
export const CALL_ADD_PLAIN_JOBS = 'SELECT * FROM pg_temp.task_queue_add_plain_jobs($1, $2, $3, $4, $5, $6, $7)';

function asFunction(name: string, statement: string, parameters: string, columns: string): string {
  return `
CREATE OR REPLACE FUNCTION pg_temp.task_queue_${name}(${parameters}) RETURNS TABLE (${columns})
LANGUAGE plpgsql SET enable_seqscan = off AS $function$
#variable_conflict use_column
BEGIN
  RETURN QUERY ${statement};
END $function$`;
}
