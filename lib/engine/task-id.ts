import { createHash, randomFillSync } from 'node:crypto';
import type { MemberRange } from './task.js';

/** A queue's name is part of its tasks' ids and of keys in the store, so it is kept to what is safe in both and in a URL. */
const QUEUE_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/;

/** `<queue>.<22 characters>`: 128 random bits in base64url, where no dot occurs. */
const TASK_ID = /^([A-Za-z0-9][A-Za-z0-9_-]{0,62})\.[A-Za-z0-9_-]{22}$/;

const ID_BYTES = 16;
/** Drawn for many ids at once: to ask the system for each takes longer than all the rest of an id. */
const random = Buffer.alloc(256 * ID_BYTES);
let nextByte = random.length;

export function isQueueName(name: string): boolean {
  return QUEUE_NAME.test(name);
}

/**
 * A new id that cannot be guessed (128 random bits) and leads to its task in one look-up, since it names the queue.
 *
 * @example `default.q0hQ2gD2mR7c3gYtVJm1Ng`
 */
export function newTaskId(queue: string): string {
  if (nextByte === random.length) {
    randomFillSync(random);
    nextByte = 0;
  }
  const id = random.toString('base64url', nextByte, nextByte + ID_BYTES);
  nextByte += ID_BYTES;
  return `${queue}.${id}`;
}

/** The queue an id belongs to; `undefined` for what is no id at all, however long or strange. */
export function queueOfTask(id: string): string | undefined {
  return TASK_ID.exec(id)?.[1];
}

/**
 * The id of a member of a workflow. It follows from its parent's, which nobody can guess: so nothing has to be stored to
 * find ten thousand members, and adding them a second time adds nothing.
 */
export function memberId(parent: string, index: number | string, queue: string): string {
  return `${queue}.${createHash('sha256').update(`${parent}:${index}`).digest('base64url').slice(0, 22)}`;
}

/** The ids of all members of a task, in order. */
export function memberIds(parent: string, ranges: readonly MemberRange[] = []): string[] {
  const ids: string[] = [];
  for (const { queue, count } of ranges) {
    for (let left = count; left > 0; left--) ids.push(memberId(parent, ids.length, queue));
  }
  return ids;
}

/** The queues of members, in order, with equal neighbours taken together. */
export function rangesOf(queues: readonly string[], before: readonly MemberRange[] = []): MemberRange[] {
  const ranges = [...before];
  for (const queue of queues) {
    const last = ranges.at(-1);
    if (last?.queue === queue) ranges[ranges.length - 1] = { queue, count: last.count + 1 };
    else ranges.push({ queue, count: 1 });
  }
  return ranges;
}
