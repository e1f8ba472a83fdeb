import type { PgQueryResult, PostgresQueueBackend } from 'bullmq';
import type { Clock } from '../clock.js';
import { onClockOfStore, type TimeArguments } from '../patched-backend-time.js';

/**
 * Where BullMQ's functions get the time of this process: the indexes of their parameters, from 0. The functions of
 * BullMQ's own job schedulers are missing: their other times are computed by the clock of the caller.
 */
export const TIMES_OF_FUNCTIONS: TimeArguments = {
  move_to_active: [3],
  next_signal: [2],
  move_to_completed_fetch: [4, 9],
  move_to_completed: [4],
  move_to_failed_fetch: [5, 10],
  move_to_failed: [5],
  move_to_delayed: [3],
  move_active_to_wait: [3],
  move_stalled_jobs_to_wait: [2],
  extend_lock: [4],
  extend_locks: [4],
  change_delay: [3],
  remove_child_dependency: [3],
  remove_deduplication_key: [3],
  get_deduplication_job_id: [2],
  get_rate_limit_ttl: [2],
  set_rate_limit: [2],
  collect_metrics: [3],
};

/** The private method of BullMQ's backend through which it sends all its queries. */
interface Runner {
  run(command: string, params: readonly unknown[]): Promise<PgQueryResult>;
}

/** Makes a backend pass the server's time to BullMQ's functions; see {@link onClockOfStore}. */
export function passServerTime(backend: PostgresQueueBackend, clock: Clock): PostgresQueueBackend {
  const runner = backend as unknown as Runner;
  const run = runner.run.bind(backend);
  const forQueue = backend.forQueue.bind(backend);
  runner.run = (command, params) => {
    const answer = run(command, onClockOfStore(TIMES_OF_FUNCTIONS, command, params, clock));
    // A waiting worker compares this answer with its own clock.
    return command === 'next_delay' ? answer.then((result) => onOwnClock(result, clock)) : answer;
  };
  backend.forQueue = (...args) => passServerTime(forQueue(...args) as PostgresQueueBackend, clock);
  return backend;
}

function onOwnClock(result: PgQueryResult, { difference }: Clock): PgQueryResult {
  const [row] = result.rows as readonly { readonly next_delay?: unknown }[];
  if (difference === 0 || !row?.next_delay) return result;
  return { ...result, rows: [{ next_delay: Number(row.next_delay) - difference }] };
}
