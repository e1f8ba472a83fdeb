import { LANE_STATEMENT } from '../postgres/lane/lane-statement.js';

const PARAMETERS = 'text, text[], text[], text[], bigint[], text[], text[], bigint, bigint, text';
const COLUMNS =
  'fits boolean, refers boolean, limited boolean, ended json, taken json, next_delay bigint, notified text';

/**
 * Makes a function of the statement that ends and takes jobs, so that PGlite prepares it once and not each time, which takes as
 * long as running it. A server behind a pooler has no place for such a function, PGlite has one session, and the function ends
 * with it. The setting keeps a plan for small tables from being used when they have grown.
 */
export const CREATE_LANE_FUNCTION = `
CREATE OR REPLACE FUNCTION pg_temp.task_queue_lane(${PARAMETERS}) RETURNS TABLE (${COLUMNS})
LANGUAGE plpgsql SET enable_seqscan = off AS $function$
#variable_conflict use_column
BEGIN
  RETURN QUERY ${LANE_STATEMENT};
END $function$`;

export const CALL_LANE_FUNCTION = 'SELECT * FROM pg_temp.task_queue_lane($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)';
