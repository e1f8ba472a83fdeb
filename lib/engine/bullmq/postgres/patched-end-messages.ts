import type { Job, PgQueryResult, PostgresQueueBackend } from 'bullmq';
import type { Clock } from '../clock.js';
import type { EndMessages } from '../driver.js';
import { foretellSuccess } from '../jobs/job-success.js';
import { preferStoredLimit } from './patched-rate-limit.js';

/** The statement that stores an end and takes a job; the index of the time of the end, and the number of its parameters. */
const END = { command: 'move_to_completed_fetch', finishedOn: 4, params: 13 };

const STORES_END = /^([\s\S]*?)SELECT \* FROM (move_to_completed_fetch\([\s\S]*\))/;

/** The method of BullMQ's backend that this file replaces. It is private. */
interface Inside {
  run(command: string, params: readonly unknown[]): Promise<PgQueryResult>;
}

/**
 * Makes the statement that stores a success send the messages to the watchers of the task too: they arrive with the commit, and need no
 * statement of their own. {@link withMessages} does the same with the text of the statement.
 */
export function sendMessagesWithEnds(backend: PostgresQueueBackend, clock: Clock, ends: EndMessages): void {
  const inside = backend as unknown as Inside;
  const moveToCompleted = backend.moveToCompleted.bind(backend);
  const run = inside.run.bind(backend);
  /** Set while the worker calls `moveToCompleted`: BullMQ sends the statement before that call returns. */
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
    const messages = ends.endMessages(id, () => foretellSuccess(job, result, finishedOn));
    if (messages.length === 0) return run(command, params);
    const columns = [messages.map(({ channel }) => channel), messages.map(({ message }) => message)];
    return run(command, [...params, ...columns]).catch((error: unknown) => {
      ends.endFailed(id);
      throw error;
    });
  };
}

/** The statement of a worker, with the messages that stand behind its own parameters. */
export function withMessages(text: string, params: readonly unknown[] = []): string {
  const [, before = '', call] = (params.length > END.params && STORES_END.exec(text)) || [];
  if (call === undefined) return preferStoredLimit(text, params);
  return `${before}SELECT job.* FROM ${MESSAGES} LEFT JOIN ${preferStoredLimit(call, params.slice(0, END.params))} AS job ON true`;
}

/**
 * Sends the messages. The function is volatile, so the planner keeps the column although nothing reads it, and the outer join keeps the
 * planner from leaving it out when no job is taken.
 */
const MESSAGES =
  '(SELECT count(pg_notify(channel, message)) FROM unnest($14::text[], $15::text[]) AS messages (channel, message)) AS sent';

/** The answer to {@link withMessages} as BullMQ expects it: without a row when no job was taken. */
export function dropEmptyRow<R>(result: PgQueryResult<R>): PgQueryResult<R> {
  const [row] = result.rows as readonly { readonly id?: unknown }[];
  return row?.id === null ? { rows: [], rowCount: 0 } : result;
}
