import { createHash, randomFillSync } from 'node:crypto';
import type { MemberRange } from './task.js';

/**
 * The name of a queue is part of task ids, of keys in the store and of URLs, so it has only characters that are safe
 * there.
 */
const QUEUE_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/;

/**
 * The queue of the tasks that only look after workflows: a group, which gathers results, and the callbacks of a task. They
 * are not in the queues of their members, because those may be paused, limited or full, or have no worker. Every process
 * that runs tasks takes from it. No application can name a queue so.
 */
export const WORKFLOW_QUEUE = '_workflows';

/** The queue of the acts on many tasks at once (`TaskAdmin.retryAll()` and its like). Every process that runs tasks takes from it. */
export const CONTROL_QUEUE = '_control';

/** The name of a shard is part of names of queues. */
const SHARD_NAME = '[A-Za-z0-9][A-Za-z0-9_-]{0,30}';
/** The queues that look after workflows: that of the default shard, and one of each other shard. */
const WORKFLOW_QUEUES = new RegExp(`^${WORKFLOW_QUEUE}(?:-(${SHARD_NAME}))?$`);

export function isShardName(name: string): boolean {
  return new RegExp(`^${SHARD_NAME}$`).test(name);
}

/** The {@link WORKFLOW_QUEUE} of a shard that is not the default one: an id names its queue, and the queue its shard. */
export function workflowQueueOf(shard: string): string {
  return `${WORKFLOW_QUEUE}-${shard}`;
}

/** The shard that a {@link workflowQueueOf} names; `undefined` for every other queue. */
export function shardOfWorkflowQueue(queue: string): string | undefined {
  return queue.startsWith(WORKFLOW_QUEUE) ? WORKFLOW_QUEUES.exec(queue)?.[1] : undefined;
}

/** Whether the tasks of a queue look after workflows. */
export function isWorkflowQueue(name: string): boolean {
  return name.startsWith(WORKFLOW_QUEUE) && WORKFLOW_QUEUES.test(name);
}

/** Whether a queue is one of this package's own, in which no task of an application waits. */
export function isInternalQueue(name: string): boolean {
  return name === WORKFLOW_QUEUE || name === CONTROL_QUEUE || isWorkflowQueue(name);
}

/** `<queue>.<22 characters>`: 120 random bits or more in base64url, which contains no dot. */
const TASK_ID = new RegExp(
  `^(${WORKFLOW_QUEUE}(?:-${SHARD_NAME})?|${CONTROL_QUEUE}|[A-Za-z0-9][A-Za-z0-9_-]{0,62})\\.[A-Za-z0-9_-]{22}$`,
);

/**
 * The most members of one task. They are stored in one step, and their ids are computed whenever the task is cancelled,
 * retried or gathered: a stored number that is higher cannot be right.
 */
export const MOST_MEMBERS = 100_000;

const ID_BYTES = 15;
/** The characters of base64url in the order of their codes. */
const DIGITS = '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz';
/** Random bytes for many ids. Getting them from the system for each id takes longer than all other steps together. */
const random = Buffer.alloc(256 * ID_BYTES);
let nextByte = random.length;

/** Options and stored data may have a value of any type. */
export function isQueueName(name: string): boolean {
  return typeof name === 'string' && QUEUE_NAME.test(name);
}

/**
 * Makes a new id. It cannot be guessed, because it has 120 random bits. It names the queue, so one look-up finds the
 * task. The two characters behind the name of the queue count seconds, and begin again after 68 minutes: so ids that are made
 * together are neighbours in the index of a database. With a random beginning, each of a million ids would change another page of it.
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
  const second = Math.floor(Date.now() / 1_000);
  return `${queue}.${DIGITS[(second >> 6) & 63]}${DIGITS[second & 63]}${id}`;
}

/** Whether tasks may be in a queue of this name: one of the application, or the one for workflows. */
export function isQueueOfTasks(name: string): boolean {
  return isInternalQueue(name) || isQueueName(name);
}

/** The queue of the task with this id; `undefined` when the text is not a task id. The text may be anything. */
export function queueOfTask(id: string): string | undefined {
  return TASK_ID.exec(id)?.[1];
}

/**
 * The id of a member of a workflow. It is derived from the id of the member's parent, which cannot be guessed. So ten
 * thousand members are found without a stored list, and storing them a second time stores nothing.
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

/**
 * The ranges of consecutive members in the same queue.
 *
 * @param queues the queue of each member, in order
 * @param before the ranges of earlier members, which the result continues
 */
export function rangesOf(queues: readonly string[], before: readonly MemberRange[] = []): MemberRange[] {
  const ranges = [...before];
  for (const queue of queues) {
    const last = ranges.at(-1);
    if (last?.queue === queue) ranges[ranges.length - 1] = { queue, count: last.count + 1 };
    else ranges.push({ queue, count: 1 });
  }
  return ranges;
}
