import type { PgQueryResult } from 'bullmq';
import { isObject, unreadableOptions } from '../jobs/unreadable-job.js';

/** Options that are no object. BullMQ takes null for no options. */
export function markOptions<R>(result: PgQueryResult<R>): PgQueryResult<R> {
  for (const row of result.rows as { opts?: unknown }[]) {
    if ('opts' in row && !isObject(row.opts)) row.opts = unreadableOptions('opts is not an object');
  }
  return result;
}
