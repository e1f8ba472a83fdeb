import type { PgQueryResult, PostgresQueueBackend } from 'bullmq';
import type { Clock } from '../clock.js';
import type { IdleWorkers } from '../idle-workers.js';
import type { NextJob } from '../lane/taken-ahead.js';
import type { EarlyRequest } from '../patched-early-request.js';
import type { LaneSwitch } from './lane/lane-switch.js';
import { toNextJob, type TakenRow } from './lane/taken-job.js';
import { isAnswer } from './outage.js';

/** The private method of BullMQ's backend through which it sends all its queries. */
interface Runner {
  run(command: string, params: readonly unknown[]): Promise<PgQueryResult>;
}

/** The places of some parameters of BullMQ's function that stores one job. */
const [QUEUE, DELAY, PARENT, KEY, SCHEDULER] = [0, 6, 10, 12, 13];

/**
 * Stores a job as BullMQ's `add_job` does it, and takes one as its `move_to_active` does it. $1 to $15 are the parameters of the first
 * function. The token, the length of the lock, the time and the name of the worker follow.
 *
 * - It takes no job while the queue has a limit, or delayed jobs that are due: `move_to_active` waits for other transactions then, and so
 *   would the caller that stores the job.
 * - `move_to_active` gets its queue by the id that `add_job` gives, so it runs afterwards, and sees the job.
 */
const STATEMENT = `SELECT added.id, row_to_json(taken) AS taken
FROM add_job($1, $2, $3, $4::jsonb, $5::jsonb, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) AS added (id)
LEFT JOIN LATERAL move_to_active(
  CASE WHEN added.id IS NOT NULL
    AND NOT EXISTS (SELECT FROM job WHERE queue = $1 AND state = 'delayed' AND process_at_ms <= $18::bigint)
    AND NOT EXISTS (SELECT FROM meta WHERE queue = $1 AND field IN ('concurrency', 'max'))
  THEN $1 END, $16, $17, $18, $19, NULL, NULL) AS taken ON true`;

/** The row that {@link STATEMENT} gives. */
interface AddedRow {
  readonly id: string;
  readonly taken: TakenRow | null;
}

/** A worker of this process for which the statement that stores a job can take one. */
export interface IdleWorker {
  readonly early: EarlyRequest;
  readonly name: string | null;
  /** Milliseconds for which the worker has a job that it takes. */
  readonly lockDuration: number;
}

export interface TakingWithAddDeps {
  readonly idle: Pick<IdleWorkers<IdleWorker>, 'find'>;
  readonly clock: Pick<Clock, 'difference'>;
  readonly laneSwitch: LaneSwitch;
  readonly query: (text: string, params: readonly unknown[]) => Promise<PgQueryResult>;
  /** Throws an outage with the code for which a worker waits. */
  readonly outageOfWorker: (error: unknown) => never;
}

/**
 * Makes the backend of a queue take a job for an idle worker of this process with the statement that stores a job. By itself, BullMQ has
 * two statements, each with a commit, and the second one comes after the notification of the server. When the server refuses the
 * one statement, the job is stored by itself.
 */
export function takeWithAdd(backend: PostgresQueueBackend, deps: TakingWithAddDeps): PostgresQueueBackend {
  const runner = backend as unknown as Runner;
  const run = runner.run.bind(backend);
  runner.run = (command, params) => {
    const runAlone = () => run(command, params);
    return (command === 'add_job' ? addAndTake(params, deps, runAlone) : undefined) ?? runAlone();
  };
  return backend;
}

/**
 * @param storeAlone stores the job in BullMQ's own way
 * @returns `undefined` when there is no job to take with this one
 */
function addAndTake(
  params: readonly unknown[],
  { idle, clock, laneSwitch, query, outageOfWorker }: TakingWithAddDeps,
  storeAlone: () => Promise<PgQueryResult>,
): Promise<PgQueryResult> | undefined {
  const queue = params[QUEUE] as string;
  const worker = isPlain(params) && laneSwitch.isOn(queue) ? idle.find(queue) : undefined;
  if (!worker) return undefined;
  const { early, name, lockDuration } = worker;
  let added: Promise<PgQueryResult> | undefined;
  early.make((token) => {
    const sent = query(STATEMENT, [...params, token, lockDuration, Date.now() + clock.difference, name]);
    added = sent.catch((error: unknown) => {
      if (!isAnswer(error)) throw error;
      laneSwitch.turnOffIfUnable(error);
      return storeAlone();
    });
    // The worker asks in its own way when the server refuses the statement.
    return sent.then(takenIn, (error: unknown) => (isAnswer(error) ? undefined : outageOfWorker(error)));
  });
  return added;
}

/** Whether nothing has to be changed or read but the job itself, and it waits for a worker at once. */
function isPlain(params: readonly unknown[]): boolean {
  return (params[PARENT] ?? params[KEY] ?? params[SCHEDULER]) == null && Number(params[DELAY]) === 0;
}

function takenIn({ rows }: PgQueryResult): NextJob | undefined {
  const [row] = rows as AddedRow[];
  return row?.taken ? toNextJob(row.taken) : undefined;
}
