import type { PgQueryResult } from 'bullmq';

/** BullMQ's statement that asks whether a job waits, and the one that asks when the next delayed job is due. */
const HAS_WAITING = /^(?:--.*\n)*SELECT\s+(EXISTS\([\s\S]*?state = 'waiting'[\s\S]*)\s+AS present;\s*$/;
const NEXT_DELAY = /^(?:--.*\n)*SELECT (next_delay\(\$1\)) AS next_delay;\s*$/;

type Send = (text: string, params?: readonly unknown[]) => Promise<PgQueryResult<unknown>>;

/**
 * Spares a worker that begins to wait one of its two statements: BullMQ asks in one turn whether a job waits and when the next
 * delayed one is due. Both questions go to the server as one, and both get its answer.
 *
 * @param send sends the statements of one worker
 */
export function askTogether(send: Send): Send {
  let both: Promise<PgQueryResult<unknown>> | undefined;
  return (text, params) => {
    const asked = both;
    both = undefined;
    if (asked && NEXT_DELAY.test(text)) return asked;
    const [, isWaiting] = HAS_WAITING.exec(text) ?? [];
    if (isWaiting === undefined) return send(text, params);
    const answer = send(`SELECT ${isWaiting} AS present, next_delay($1) AS next_delay`, params);
    both = answer;
    // The second question comes in the same turn, or not at all.
    queueMicrotask(() => {
      if (both === answer) both = undefined;
    });
    return answer;
  };
}
