import type { Job, JobJson } from 'bullmq';
import { ATTEMPTS_KEPT, type AttemptRecord } from '../../attempt.js';
import { isCancellation } from '../../failures.js';
import type { TaskFailure, TaskRecord } from '../../task.js';
import { parse, readData } from './job-data.js';
import { isAbandonment, readStack, type FailedAttempt } from './job-failure.js';

/** Stacks that are kept whole. Those of earlier attempts are cut, because a worker gets all of them with the job. */
const WHOLE_STACKS = 3;
const LONGEST_EARLIER_STACK = 2_000;

/**
 * The attempts of a task, oldest first, as far as its job tells them: those that failed stand behind their stacks, the job
 * itself has the times of the last one, and BullMQ counts those that were lost.
 */
export function readAttempts(json: JobJson, record: TaskRecord): AttemptRecord[] {
  const attempts: AttemptRecord[] = [];
  const failed = failedAttempts(json, record);
  // The deaths before the first kept attempt are not known when earlier attempts are gone.
  let lost = failed.length === ATTEMPTS_KEPT ? (failed[0]?.lost ?? 0) : 0;
  const addLost = (until: number, number: number) => {
    for (const first = Math.max(lost, until - ATTEMPTS_KEPT); until > first; until--)
      attempts.push(lostAttempt(number));
  };
  for (const { lost: lostBefore = lost, ...attempt } of failed) {
    addLost(lostBefore, attempt.number);
    lost = Math.max(lost, lostBefore);
    attempts.push(attempt);
  }
  addLost(json.stalledCounter ?? 0, isOpen(record) ? record.attempt : record.attempt + 1);
  if (isOpen(record)) attempts.push(lastAttempt(json, record));
  return inOneOrder(attempts.slice(-ATTEMPTS_KEPT));
}

/**
 * The server says when an attempt started, and the worker when it ended. Their clocks are known to agree up to some milliseconds
 * only, so an attempt that seems to start before the one before it has ended gets the later time.
 */
function inOneOrder(attempts: readonly AttemptRecord[]): AttemptRecord[] {
  let earliest = 0;
  const later = (time: number | null) => {
    if (time === null) return null;
    earliest = Math.max(earliest, time);
    return earliest;
  };
  return attempts.map(({ startedAt, endedAt, ...attempt }) => ({
    ...attempt,
    startedAt: later(startedAt),
    endedAt: later(endedAt),
  }));
}

/** The stacks of a job before another is added: the earlier ones become short. */
export function shortenStacks(stacks: readonly string[] | null | undefined): string[] {
  return (stacks ?? []).map((text, place, { length }) => {
    const end = text.lastIndexOf('\n');
    if (place > length - WHOLE_STACKS || end <= LONGEST_EARLIER_STACK) return text;
    return `${text.slice(0, LONGEST_EARLIER_STACK - 1)}…${text.slice(end)}`;
  });
}

/** The stacks of all attempts that are kept, oldest first. */
export function stacksOf(json: JobJson): string[] {
  const stacks = [readData(parse(json.data))?.rerun?.stacks, parse(json.stacktrace)];
  return stacks
    .flatMap((some: unknown) => (Array.isArray(some) ? some : []))
    .filter((stack) => typeof stack === 'string')
    .slice(-ATTEMPTS_KEPT);
}

/** What was noted with the last attempt of a job that failed; `undefined` when nothing was. */
export function lastMark({ data, stacktrace }: Pick<Job, 'data' | 'stacktrace'>): string | undefined {
  const last: unknown = stacktrace?.at(-1) ?? readData(data)?.rerun?.stacks?.at(-1);
  return typeof last === 'string' ? readStack(last).attempt?.mark : undefined;
}

/** Whether the last attempt runs, or has succeeded: it has left no stack. */
function isOpen({ state }: TaskRecord): boolean {
  return state === 'running' || state === 'succeeded';
}

function lastAttempt({ processedBy }: JobJson, record: TaskRecord): AttemptRecord {
  return {
    number: record.attempt,
    startedAt: record.startedAt,
    endedAt: record.finishedAt,
    outcome: record.state === 'succeeded' ? 'succeeded' : null,
    error: null,
    worker: processedBy ?? null,
  };
}

function lostAttempt(number: number): AttemptRecord {
  return { number, startedAt: null, endedAt: null, outcome: 'lost', error: null, worker: null };
}

/** @returns the attempts behind the stacks; `lost` of each is the number of deaths before it, if it is known */
function failedAttempts(json: JobJson, record: TaskRecord): (AttemptRecord & { readonly lost?: number })[] {
  const attempts: (AttemptRecord & { readonly lost?: number })[] = [];
  let next = isOpen(record) ? record.attempt : record.attempt + 1;
  for (const stack of stacksOf(json).toReversed()) {
    const isLast = attempts.length === 0 && !isOpen(record);
    const { failure, attempt } = readStack(stack);
    // A worker ended the task without calling its method.
    if (attempt === null) continue;
    const read = attempt ? known(attempt, failure) : unknown(Math.max(next - 1, 1), failure, isLast ? json : undefined);
    attempts.push(read);
    next = read.number;
  }
  return attempts.toReversed();
}

function known({ number, started, ended, worker, lost, message, outcome }: FailedAttempt, failure: TaskFailure) {
  const error = message === undefined ? failure : { ...failure, message };
  return { number, startedAt: started, endedAt: ended, outcome, error, worker: worker ?? null, lost };
}

/** An attempt that version 0.1.0 or a foreign worker stored. @param json of the attempt that ended the task */
function unknown(number: number, error: TaskFailure, json: JobJson | undefined): AttemptRecord {
  const isEnd = json?.finishedOn !== undefined && !isAbandonment(json.failedReason ?? '');
  return {
    number,
    startedAt: (isEnd && json.processedOn) || null,
    endedAt: (isEnd && json.finishedOn) || null,
    outcome: isCancellation(error) ? 'cancelled' : isEnd ? 'failed' : 'retry',
    error,
    worker: (isEnd && json.processedBy) || null,
  };
}
