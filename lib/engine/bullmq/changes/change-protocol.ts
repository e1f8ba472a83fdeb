import type { StoredSuccess } from '../jobs/job-success.js';

/** What a process that waits for tasks hears of them. */
export interface News {
  /** They changed: who waits looks at them. */
  readonly ids?: readonly string[];
  /** They succeeded, and this is stored of them: nobody has to look. */
  readonly successes?: readonly Success[];
  /** A worker has just begun, and wants to know who waits. */
  readonly repeat?: true;
}

type Success = readonly [id: string, stored: StoredSuccess];

/** Bytes of a message: PostgreSQL's notifications hold 8,000. */
export const LARGEST_MESSAGE = 7_500;

/** What processes that run tasks are asked for. */
export type Request =
  | { readonly type: 'watch'; readonly ids: readonly string[]; readonly inbox: string; readonly endOnly: boolean }
  | { readonly type: 'cancel'; readonly id: string; readonly reason?: string };

/** An id has at most 86 characters. */
const IDS_PER_REQUEST = 80;

/** To be told of these tasks, in as few messages as hold them. */
export function requestsToWatch(ids: readonly string[], inbox: string, endOnly: boolean): Request[] {
  const requests: Request[] = [];
  for (let start = 0; start < ids.length; start += IDS_PER_REQUEST) {
    requests.push({ type: 'watch', ids: ids.slice(start, start + IDS_PER_REQUEST), inbox, endOnly });
  }
  return requests;
}

/** In as few messages as hold it. A success that none can hold is told as a change. */
export function messagesOf(news: ReadonlyMap<string, StoredSuccess | undefined>): string[] {
  const messages: string[] = [];
  let ids: string[] = [];
  let successes: Success[] = [];
  let size = 0;
  const close = () => {
    const message: News = { ...(ids.length > 0 && { ids }), ...(successes.length > 0 && { successes }) };
    messages.push(JSON.stringify(message));
    [ids, successes, size] = [[], [], 0];
  };
  for (const [id, stored] of news) {
    const success: Success | undefined = stored && [id, stored];
    const own = success ? sizeOf(success) : Infinity;
    const told = own < LARGEST_MESSAGE - FRAME;
    const needed = told ? own : sizeOf(id);
    if (size + needed > LARGEST_MESSAGE - FRAME) close();
    if (told && success) successes.push(success);
    else ids.push(id);
    size += needed;
  }
  if (size > 0) close();
  return messages;
}

/** The bytes of a message without its entries. */
const FRAME = Buffer.byteLength(JSON.stringify({ ids: [], successes: [] } satisfies News));

/** With the comma behind it. */
function sizeOf(entry: string | Success): number {
  return Buffer.byteLength(JSON.stringify(entry)) + 1;
}
