import { queueOfTask } from '../../task-id.js';
import { writeMessage, type Fields } from '../checked-bus.js';
import { isSuccess, type JobSuccess } from '../jobs/job-success.js';

/**
 * The messages between processes about changes of tasks, and the times both sides rely on. A message is a hint: every
 * one of them may be lost, and the store is the truth. `TaskSubscriptions` is the side that waits for tasks,
 * `ChangePublisher` the side that runs them.
 */

/** Every process that runs tasks listens on this channel: for {@link WatchRequest} and {@link CancelRequest}. */
export const WORKERS = 'workers';
/** Every process that watches tasks listens on this channel: a worker that starts asks who watches what. */
export const WATCHERS = 'watchers';

/** The first poll of a watched task comes after 1 s; the pause then doubles up to 10 s. */
export const FIRST_POLL = 1_000;
export const SLOWEST_POLL = 10_000;
/** A worker forgets a watcher that has not repeated its request for so long. Each poll repeats it. */
export const WATCH_REQUEST_LIFE = 3 * SLOWEST_POLL;
/**
 * A worker remembers for at least so long which tasks changed, for the watchers whose request is on its way. A request
 * that took longer than half of this may have come too late, so its sender fetches the task once more.
 */
export const RECENT_CHANGES = 2_000;
/**
 * A process that stored a task at most so long ago need not fetch it: a worker that ran it meanwhile still remembers the
 * end. So this is at most half of {@link RECENT_CHANGES}; the other half is left for the request to the workers.
 */
export const JUST_STORED = 1_000;

/** News of tasks, to a process that watches them. */
export interface ChangeMessage {
  /** These tasks changed: the process fetches them. */
  readonly ids?: readonly string[];
  /** These tasks succeeded, and this is stored of them: the process fetches nothing. */
  readonly successes?: readonly SuccessEntry[];
  /** A worker has just started and asks for all watch requests once more. */
  readonly repeat?: true;
}

type SuccessEntry = readonly [id: string, stored: JobSuccess];

/** Asks the workers for news of these tasks. */
export interface WatchRequest {
  readonly type: 'watch';
  readonly ids: readonly string[];
  /** The channel on which the watching process listens. */
  readonly inbox: string;
  readonly endOnly: boolean;
}

/** Tells the workers that a task was cancelled: the one that runs it reads the stored request, with the reason. */
export interface CancelRequest {
  readonly type: 'cancel';
  readonly id: string;
}

const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
/** The inbox of a process, as jobs name it. */
const INBOX = new RegExp(`^${UUID}$`);
/** The name of a reply channel. */
const REPLY_CHANNEL = new RegExp(`^inbox:${UUID}$`);

/** The channel on which other processes reach the process with this inbox. */
export function replyChannelOf(inbox: string): string {
  return `inbox:${inbox}`;
}

/** A job may name anything as the inbox of the process that stored it. */
export function isInbox(inbox: unknown): inbox is string {
  return typeof inbox === 'string' && INBOX.test(inbox);
}

/** An id has at most 86 characters, and a message on PostgreSQL 5,800. */
const IDS_PER_REQUEST = 60;
/** The number of ids that version 0.1.0 puts into one request. */
const MOST_IDS = 80;

/** Requests for news of these tasks, as few as hold them. */
export function watchRequests(ids: readonly string[], replyChannel: string, endOnly: boolean): WatchRequest[] {
  const requests: WatchRequest[] = [];
  for (let start = 0; start < ids.length; start += IDS_PER_REQUEST) {
    requests.push({ type: 'watch', ids: ids.slice(start, start + IDS_PER_REQUEST), inbox: replyChannel, endOnly });
  }
  return requests;
}

/**
 * As few messages as hold these changes. A success that is too large for a message becomes a plain change.
 *
 * @param changes ids of changed tasks; the value is what is stored of a task that succeeded
 * @param largest bytes of the largest message
 */
export function changeMessages(changes: ReadonlyMap<string, JobSuccess | undefined>, largest: number): ChangeMessage[] {
  const room = largest - FRAME;
  const messages: ChangeMessage[] = [];
  let ids: string[] = [];
  let successes: SuccessEntry[] = [];
  let size = 0;
  const close = () => {
    messages.push({ ...(ids.length > 0 && { ids }), ...(successes.length > 0 && { successes }) });
    [ids, successes, size] = [[], [], 0];
  };
  for (const [id, stored] of changes) {
    const success: SuccessEntry | undefined = stored && [id, stored];
    const successSize = success ? sizeOf(success) : Infinity;
    const fits = successSize < room;
    const needed = fits ? successSize : sizeOf(id);
    if (size + needed > room) close();
    if (fits && success) successes.push(success);
    else ids.push(id);
    size += needed;
  }
  if (size > 0) close();
  return messages;
}

/**
 * Reads a message of the channel {@link WORKERS}.
 *
 * @returns `undefined` for a message that is no request
 */
export function readRequest(message: Fields): WatchRequest | CancelRequest | undefined {
  if (message['type'] === 'watch') return toWatchRequest(message);
  if (message['type'] === 'cancel') return toCancelRequest(message);
  return undefined;
}

/**
 * Reads a message of the channel {@link WATCHERS} or of a reply channel.
 *
 * @returns `undefined` for a message that is no news
 */
export function readChangeMessage({ ids, successes, repeat }: Fields): ChangeMessage | undefined {
  if (ids === undefined && successes === undefined && repeat === undefined) return undefined;
  if (ids !== undefined && !isListOf(ids, isTaskId)) return undefined;
  if (successes !== undefined && !isListOf(successes, isSuccessEntry)) return undefined;
  if (repeat !== undefined && repeat !== true) return undefined;
  return { ...(ids && { ids }), ...(successes && { successes }), ...(repeat && { repeat }) };
}

/** Whether an id may be part of a message. Others are of no task, and no worker changes them. */
export function isTaskId(id: unknown): id is string {
  return typeof id === 'string' && queueOfTask(id) !== undefined;
}

function toWatchRequest({ ids, inbox, endOnly }: Fields): WatchRequest | undefined {
  if (!isListOf(ids, isTaskId) || ids.length > MOST_IDS) return undefined;
  if (typeof inbox !== 'string' || !REPLY_CHANNEL.test(inbox) || typeof endOnly !== 'boolean') return undefined;
  return { type: 'watch', ids, inbox, endOnly };
}

/** Version 0.1.0 also sends a reason. */
function toCancelRequest({ id }: Fields): CancelRequest | undefined {
  return isTaskId(id) ? { type: 'cancel', id } : undefined;
}

function isListOf<T>(list: unknown, is: (entry: unknown) => entry is T): list is T[] {
  return Array.isArray(list) && list.every(is);
}

function isSuccessEntry(entry: unknown): entry is SuccessEntry {
  return Array.isArray(entry) && entry.length === 2 && isTaskId(entry[0]) && isSuccess(entry[1]);
}

/** The bytes of a message without entries. */
const FRAME = Buffer.byteLength(writeMessage({ ids: [], successes: [] } satisfies ChangeMessage));

/** The bytes of an entry with the comma behind it. */
function sizeOf(entry: string | SuccessEntry): number {
  return Buffer.byteLength(JSON.stringify(entry)) + 1;
}
