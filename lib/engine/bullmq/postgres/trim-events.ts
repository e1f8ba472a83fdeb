/**
 * Removes the oldest events of the queue $1, as BullMQ's functions do it: after every 256th event, unless another transaction does it
 * just now. It is the part `trimmed` of a statement with two other parts: `news` gives the ids of the events that the statement adds,
 * `gate` the number of events that the queue keeps (`kept_events`).
 */
export const TRIM_EVENTS = `trimmed AS (
  DELETE FROM event
  WHERE queue = $1 AND id <= (SELECT max(id) FROM news WHERE id % 256 = 0) - (SELECT kept_events FROM gate)
    AND (SELECT bool_or(id % 256 = 0 AND id > kept_events AND kept_events > 0)
      AND pg_try_advisory_xact_lock(hashtext('bullmq:evtrim:' || $1)) FROM news, gate)
)`;
