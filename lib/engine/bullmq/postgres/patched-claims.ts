import type { Job, PgQueryResult, PostgresQueueBackend } from 'bullmq';
import type { Clock } from '../clock.js';
import type { EndMessages } from '../driver.js';
import { writeSuccess } from '../jobs/job-success.js';
import { preferStoredLimit } from './patched-rate-limit.js';

/** The statement that stores an end and takes a job; the index of the time of the end, and the number of its parameters. */
const END = { command: 'move_to_completed_fetch', finishedOn: 4, params: 13 };

/** The statements that may take a job. */
const TAKES_JOB =
  /^([\s\S]*?)SELECT \* FROM ((?:move_to_active|move_to_completed_fetch|move_to_failed_fetch)\([\s\S]*\))/;

/** The times of the next delayed jobs, by the answers without a job that they belong to. */
const nextDelays = new WeakMap<readonly unknown[], number>();

/** The methods of BullMQ's backend that this file replaces. They are private. */
interface Inside {
  run(command: string, params: readonly unknown[]): Promise<PgQueryResult>;
  buildNextJobResult(rows: readonly unknown[], limiterMax: number | null, now: number): Promise<unknown[]>;
}

/**
 * Spares a worker two round trips for each task that comes alone:
 *
 * - A statement that takes no job also reads when the next delayed job is due. By itself, BullMQ sends another statement for that,
 *   and reports the end of a task only then.
 * - The statement that stores a success also sends the messages to the watchers of the task. They arrive with the commit.
 */
export function patchClaims(backend: PostgresQueueBackend, clock: Clock, ends: EndMessages): void {
  const inside = backend as unknown as Inside;
  readNextDelay(inside);
  sendMessages(backend, inside, clock, ends);
}

function readNextDelay(inside: Inside): void {
  const buildNextJobResult = inside.buildNextJobResult.bind(inside);
  inside.buildNextJobResult = (rows, limiterMax, now) => {
    const nextDelay = nextDelays.get(rows);
    return nextDelay === undefined
      ? buildNextJobResult(rows, limiterMax, now)
      : Promise.resolve([null, '', 0, nextDelay]);
  };
}

function sendMessages(backend: PostgresQueueBackend, inside: Inside, clock: Clock, ends: EndMessages): void {
  const moveToCompleted = backend.moveToCompleted.bind(backend);
  const run = inside.run.bind(backend);
  /** BullMQ sends the statement in the turn in which it is told to store the end. */
  let ending: { readonly job: Job; readonly result: unknown } | undefined;
  backend.moveToCompleted = (job, result, ...args) => {
    ending = { job: job as unknown as Job, result };
    const answer = moveToCompleted(job, result, ...args);
    ending = undefined;
    return answer;
  };
  inside.run = (command, params) => {
    if (!ending || command !== END.command) return run(command, params);
    const { job, result } = ending;
    const id = job.id as string;
    const finishedOn = Number(params[END.finishedOn]) + clock.difference;
    const messages = ends.endMessages(id, () => writeSuccess(asEnded(job, finishedOn), result));
    if (messages.length === 0) return run(command, params);
    const columns = [messages.map(({ channel }) => channel), messages.map(({ message }) => message)];
    return run(command, [...params, ...columns]).catch((error: unknown) => {
      ends.endFailed(id);
      throw error;
    });
  };
}

/** The fields of the job as BullMQ sets them once the end is stored. */
function asEnded(job: Job, finishedOn: number): Job {
  const { id, name, data, opts, progress, timestamp, processedOn, attemptsStarted } = job;
  const attemptsMade = job.attemptsMade + 1;
  return { id, name, data, opts, progress, timestamp, processedOn, attemptsStarted, attemptsMade, finishedOn } as Job;
}

/**
 * Makes a worker's statement do what {@link patchClaims} says. A statement whose worker declares a limit is left as it is.
 * `next_delay` runs after the claim, for it depends on its result, and it is volatile: it sees what the claim has changed.
 */
export function claimStatement(text: string, params: readonly unknown[] = []): string {
  const [, before = '', call] = TAKES_JOB.exec(text) ?? [];
  if (call === undefined) return text;
  const messages = params.length > END.params && call.startsWith(END.command);
  const limit = params[messages ? END.params - 1 : params.length - 1];
  if (limit !== null && !messages) return preferStoredLimit(text, params);
  const first = messages ? MESSAGES : '(SELECT) AS nothing';
  const claim = limit === null ? call : preferStoredLimit(call, params.slice(0, END.params));
  return `${before}SELECT job.*, later.* FROM ${first} LEFT JOIN ${claim} AS job ON true LEFT JOIN LATERAL (${
    limit === null ? NEXT_DELAY : 'SELECT false AS is_known, 0 AS next_delay'
  }) AS later ON job.id IS NULL`;
}

/** Sends the messages. The function is volatile, so the planner keeps the column although nothing reads it. */
const MESSAGES =
  '(SELECT count(pg_notify(channel, message)) FROM unnest($14::text[], $15::text[]) AS messages (channel, message)) AS sent';

/** A queue with a stored limit may have to wait for the end of its window instead. */
const NEXT_DELAY = `SELECT NOT EXISTS (SELECT FROM meta WHERE queue = $1 AND field = 'max') AS is_known, next_delay($1) AS next_delay`;

interface ClaimRow {
  readonly id: string | null;
  readonly is_known?: boolean | null;
  readonly next_delay?: string | null;
}

/** The answer to {@link claimStatement} as BullMQ expects it: without a row when no job was taken. */
export function readClaim<R>(result: PgQueryResult<R>): PgQueryResult<R> {
  const [row] = result.rows as readonly ClaimRow[];
  if (row?.id !== null || row.is_known === undefined) return result;
  const rows: R[] = [];
  if (row.is_known) nextDelays.set(rows, Number(row.next_delay ?? 0));
  return { rows, rowCount: 0 };
}
