import type { JobsOptions } from 'bullmq';
import { DUTY_TASKS, EARLIER_GROUP_TASK, GROUP_TASK } from '../../workflow-note.js';
import { isQueueOfTasks, MOST_MEMBERS, queueOfTask } from '../../task-id.js';

/**
 * Whether a stored job can be read. Anything may stand in a store: another program wrote it, an administrator corrected
 * it, a disk lost a part of it. A job that cannot be read fails by itself, and no other job waits for it. Every reason is
 * a text that names the field and contains nothing of its value.
 */

/** The format of the jobs that this version writes, which it leaves out: a job without `data.v` has format 1. */
export const FORMAT = 1;

/** The fields of BullMQ's `Job`, and of its `JobJson`, that are checked. */
export interface JobFields {
  readonly name?: unknown;
  readonly opts?: unknown;
  readonly attemptsMade?: unknown;
  readonly attemptsStarted?: unknown;
  readonly stalledCounter?: unknown;
  readonly timestamp?: unknown;
  readonly processedOn?: unknown;
  readonly finishedOn?: unknown;
}

/** Options that stand for those of a job that could not be read at all. */
export type UnreadableOptions = JobsOptions & { readonly unreadable: string };

/** The name of a task whose name cannot be read. */
export const UNKNOWN_NAME = 'unknown';

/** Options with the reason why the job that has them cannot be read. */
export function unreadableOptions(reason: string): UnreadableOptions {
  return { unreadable: reason };
}

/** The format of a job's data. A number that is higher than {@link FORMAT} comes from a newer version of this package. */
export function formatOf(data: unknown): number {
  const format = isCall(data) ? data['v'] : undefined;
  return typeof format === 'number' && Number.isSafeInteger(format) ? format : FORMAT;
}

/**
 * Why a job cannot be read; `undefined` when it can. Data that is not that of a task (`{ args: [...] }`) is readable: a
 * foreign client may have stored it, and a worker says what is wrong with it.
 */
export function unreadableReason(job: JobFields, data: unknown): string | undefined {
  return reasonOfFields(job) ?? (isCall(data) ? reasonOfData(data, job.name) : undefined);
}

/** Data of another form belongs to the producer that stored it: its fields have other meanings, whatever their names. */
function isCall(data: unknown): data is Record<string, unknown> {
  return isObject(data) && Array.isArray(data['args']);
}

/** The largest number of attempts or starts that a job can have. A task that runs once a second has it after 30 years. */
export const MOST_RUNS = 1_000_000_000;
/** The end of the year 9999. */
const LAST_TIME = 253_402_300_799_999;

const COUNTERS = ['attemptsMade', 'attemptsStarted', 'stalledCounter'] as const;
const TIMES = ['processedOn', 'finishedOn'] as const;

function reasonOfFields(job: JobFields): string | undefined {
  if (typeof job.name !== 'string' || job.name === '') return 'its name is missing';
  const reason = reasonOfOptions(job.opts);
  if (reason !== undefined) return reason;
  for (const field of COUNTERS) {
    if (!isIntegerUpTo(job[field] ?? 0, MOST_RUNS)) return `${field} is not a number of runs`;
  }
  if (!isTime(job.timestamp)) return 'timestamp is not a time';
  for (const field of TIMES) {
    if (job[field] !== undefined && !isTime(job[field])) return `${field} is not a time`;
  }
  return undefined;
}

type Check = (value: unknown) => boolean;
type Checks = ReadonlyMap<string, readonly [check: Check, what: string]>;

function checksOf(checks: Readonly<Record<string, readonly [check: Check, what: string]>>): Checks {
  return new Map(Object.entries(checks));
}

const aBoolean = [(value: unknown) => typeof value === 'boolean', 'true or false'] as const;
const aText = [(value: unknown) => typeof value === 'string', 'a text'] as const;
const anObject = [(value: unknown) => isObject(value), 'an object'] as const;
const aList = [(value: unknown) => Array.isArray(value), 'a list'] as const;
const aTime = [(value: unknown) => isTime(value), 'a time'] as const;
const aCount = [(value: unknown) => isIntegerUpTo(value, Number.MAX_SAFE_INTEGER), 'a whole number'] as const;
const aDuration = [(value: unknown) => isTime(value), 'a number of milliseconds'] as const;

/** BullMQ has more options. These are those that this package or a script of BullMQ works with. */
const OPTIONS = checksOf({
  attempts: aCount,
  delay: [(value) => typeof value === 'number' && Math.abs(value) <= LAST_TIME, 'a number of milliseconds'],
  priority: aCount,
  deduplication: anObject,
  failParentOnFailure: aBoolean,
  continueParentOnFailure: aBoolean,
  ignoreDependencyOnFailure: aBoolean,
  removeDependencyOnFailure: aBoolean,
  task: anObject,
});

const TASK_OPTIONS = checksOf({
  backoff: anObject,
  expiresAt: aTime,
  timeout: aDuration,
  resultTtl: aDuration,
  ignoreResult: aBoolean,
  uniqueWhilePending: aBoolean,
});

const BACKOFF = checksOf({
  type: [(value) => value === 'fixed' || value === 'exponential', 'fixed or exponential'],
  delay: aDuration,
  max: aDuration,
  jitter: [(value) => typeof value === 'number' && value >= 0 && value <= 1, 'a number from 0 to 1'],
});

function reasonOfOptions(opts: unknown): string | undefined {
  if (!isObject(opts)) return 'opts is not an object';
  if (typeof opts['unreadable'] === 'string') return opts['unreadable'];
  const reason = mismatch('opts', opts, OPTIONS);
  if (reason !== undefined || !isObject(opts['task'])) return reason;
  const { backoff } = opts['task'];
  return (
    mismatch('opts.task', opts['task'], TASK_OPTIONS) ??
    (isObject(backoff) ? mismatchOfAll('opts.task.backoff', backoff, BACKOFF) : undefined)
  );
}

const DATA = checksOf({
  v: [(value) => isIntegerUpTo(value, Number.MAX_SAFE_INTEGER) && (value as number) > 0, 'a format number'],
  cancelled: anObject,
  failed: anObject,
  root: aText,
  members: aList,
  note: anObject,
  adding: aBoolean,
  looks: aCount,
  returns: aCount,
  rerun: anObject,
});

const RERUN = checksOf({ count: aCount, abandoned: aCount });

const MARK = checksOf({ reason: aText, starts: aCount });

const FAILURE = checksOf({ name: aText, message: aText });

const NOTE = checksOf({
  after: aBoolean,
  piped: aBoolean,
  each: aBoolean,
  step: aCount,
  last: aBoolean,
  group: anObject,
  replaced: aBoolean,
  onSuccess: aList,
  onError: aList,
  delay: [(value) => isTime(isObject(value) ? value['at'] : value), 'a duration or a time'],
  priority: aCount,
  items: aList,
  tried: aCount,
  duty: anObject,
  answer: anObject,
});

const GROUP = checksOf({
  onFailure: [(value) => value === 'collect', 'collect'],
  later: aList,
});

const DUTY = checksOf({
  kind: [(value) => typeof value === 'string' && Object.hasOwn(DUTY_TASKS, value), 'a duty'],
  id: [(value) => typeof value === 'string' && queueOfTask(value) !== undefined, 'the id of a task'],
  reruns: aCount,
});

const ANSWER = checksOf({
  name: aText,
  queue: aText,
  at: aTime,
});

function reasonOfData(data: Record<string, unknown>, name: unknown): string | undefined {
  const { cancelled, failed, members, note, args, rerun } = data;
  return (
    mismatch('data', data, DATA) ??
    (isObject(cancelled) ? reasonOfMark(cancelled) : undefined) ??
    (isObject(failed) ? reasonOfFailure(failed) : undefined) ??
    (isObject(rerun) ? mismatchOfAll('data.rerun', rerun, RERUN) : undefined) ??
    (Array.isArray(members) ? reasonOfMembers(members) : undefined) ??
    reasonOfNote(isObject(note) ? note : {}, { name, args, members })
  );
}

function reasonOfMark(cancelled: Record<string, unknown>): string | undefined {
  if (!isTime(cancelled['at'])) return 'data.cancelled.at is not a time';
  return mismatch('data.cancelled', cancelled, MARK);
}

function reasonOfFailure({ at, failure }: Record<string, unknown>): string | undefined {
  if (!isTime(at)) return 'data.failed.at is not a time';
  if (failure === undefined) return undefined;
  return isObject(failure)
    ? mismatchOfAll('data.failed.failure', failure, FAILURE)
    : 'data.failed.failure is not an object';
}

function reasonOfMembers(members: readonly unknown[]): string | undefined {
  let sum = 0;
  for (const range of members) {
    if (!isObject(range) || typeof range['queue'] !== 'string' || !isQueueOfTasks(range['queue'])) {
      return 'data.members names no queue';
    }
    if (!isIntegerUpTo(range['count'], MOST_MEMBERS) || (sum += range['count'] as number) > MOST_MEMBERS) {
      return `data.members has no possible count (${MOST_MEMBERS} at most)`;
    }
  }
  return undefined;
}

/** What a note says has to fit the members and the arguments. */
function reasonOfNote(
  note: Record<string, unknown>,
  job: { readonly name: unknown; readonly args: unknown; readonly members: unknown },
): string | undefined {
  const reason = mismatch('data.note', note, NOTE);
  if (reason !== undefined) return reason;
  const { group, after, replaced, each, items, duty, answer } = note;
  const hasMembers = Array.isArray(job.members) && job.members.length > 0;
  if ((job.name === GROUP_TASK || job.name === EARLIER_GROUP_TASK) && !group) return 'data.note has no group';
  if ((after || replaced) && !hasMembers) return 'data.members is missing';
  if (each && Array.isArray(job.args) && !job.args.every(Array.isArray)) return 'data.args is not a list of lists';
  if (Array.isArray(items) && !items.every(isItem)) return 'data.note.items contains something else than results';
  const wrongAnswer = isObject(answer) ? mismatchOfAll('data.note.answer', answer, ANSWER) : undefined;
  if (wrongAnswer !== undefined) return wrongAnswer;
  if (isObject(duty)) return mismatchOfAll('data.note.duty', duty, DUTY);
  return isObject(group) ? mismatch('data.note.group', group, GROUP) : undefined;
}

function isItem(item: unknown): boolean {
  return item === null || (isObject(item) && ('value' in item || isIntegerUpTo(item['member'], MOST_MEMBERS)));
}

/** As {@link mismatch}, of an object that has to have all of these fields. */
function mismatchOfAll(path: string, object: Record<string, unknown>, checks: Checks): string | undefined {
  for (const [field, [check, what]] of checks) if (!check(object[field])) return `${path}.${field} is not ${what}`;
  return undefined;
}

/**
 * The first field that has another type than it should have. Only the fields that the object has are looked at, because
 * every job that a worker takes is checked, and most jobs have few of them.
 */
function mismatch(path: string, object: Record<string, unknown>, checks: Checks): string | undefined {
  for (const field in object) {
    const value = object[field];
    const expected = value === undefined ? undefined : checks.get(field);
    if (expected && !expected[0](value)) return `${path}.${field} is not ${expected[1]}`;
  }
  return undefined;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether a number of milliseconds is a time, from 1970 to the year 9999, that a `Date` can have. */
export function isTime(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= LAST_TIME;
}

function isIntegerUpTo(value: unknown, most: number): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= most;
}
