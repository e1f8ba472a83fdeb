import { parseDuration, type Duration } from '../duration.js';
import type { Topology } from '../engine/shards/topology.js';
import type { CallOptions, Headers } from '../engine/task.js';
import { sizeBeyond, toJson } from '../engine/json.js';
import { ConfigurationError, NotSerializableError, PayloadTooLargeError } from '../errors.js';
import { refuseUnknown, type FieldsOf } from '../option-fields.js';
import {
  checkPriority,
  checkQueueName,
  checkRetries,
  parseBackoff,
  type TaskDefinition,
} from '../tasks/task-definition.js';
import type { EnqueueOptions } from '../tasks/task-options.js';
import type { Moment } from '../workflows/plan.js';

/** Headers are for identifiers (a trace, a tenant, a user), not for data. Bytes of JSON. */
const MAX_HEADERS = 16 * 1024;

/** The last time that the stores take. */
const LAST_TIME = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

const ENQUEUE_OPTIONS: FieldsOf<EnqueueOptions> = {
  delay: true,
  expires: true,
  priority: true,
  retries: true,
  backoff: true,
  timeout: true,
  queue: true,
  idempotencyKey: true,
  idempotencyScope: true,
  headers: true,
};

/** Where the options of a call come from. The options of `with()` take precedence over the definition. */
export interface OptionSource {
  readonly definition: TaskDefinition;
  readonly options: EnqueueOptions;
  readonly hasPriorities: (queue: string) => boolean;
}

/** The options of a call that is stored later. */
export interface DeferredOptions {
  readonly options: Omit<CallOptions, 'startAt' | 'expiresAt'>;
  readonly delay?: Moment;
  readonly expires?: Moment;
}

/** The queue of a call. @throws ConfigurationError when `with({ queue })` is no queue name */
export function queueOfCall({ definition, options: { queue } }: OptionSource): string {
  return queue === undefined ? definition.queue : checkQueueName(queue, 'with({ queue })');
}

/**
 * A key and a batch are known in one shard only: in another one the same key would stand for another task.
 *
 * @throws ConfigurationError when `with({ queue })` is in another shard than the task's own queue
 */
export function refuseOtherShard(source: OptionSource, { shardOf }: Topology): void {
  const { definition } = source;
  const queue = queueOfCall(source);
  const [own, other] = [shardOf(definition.queue), shardOf(queue)];
  if (own === other) return;
  throw new ConfigurationError(
    `with({ queue: "${queue}" }) is in the shard ${other}, and the queue "${definition.queue}" of task "${definition.name}" in the shard ${own}. ` +
      `${definition.batch ? 'A batch' : 'A unique key'} stays within one shard. Name a queue of the shard ${own}, or give both queues the same shard.`,
  );
}

/**
 * The options that are stored with a call: those of `with()`, and those of the definition that the worker's own
 * declaration of the task does not supply, or not early enough.
 *
 * @param clock gives the time from which durations count; most calls have none
 * @throws ConfigurationError naming the option and the value
 */
export function callOptions(source: OptionSource, clock: () => number): CallOptions {
  const { definition } = source;
  refuseUnknown<EnqueueOptions>(source.options, ENQUEUE_OPTIONS, (name) => `with({ ${name} })`);
  const {
    delay,
    retries,
    timeout,
    backoff,
    expires = definition.expires,
    priority = definition.priority,
  } = source.options;
  const now = delay === undefined && expires === undefined ? 0 : clock();
  const attempts = checkRetries(retries ?? definition.retries, 'with({ retries })') + 1;
  const startAt = delay === undefined ? undefined : timeOf(delay, now, 'with({ delay })');
  const { resultTtl } = definition;
  return {
    ...((attempts > 1 || retries !== undefined) && { attempts }),
    ...(backoff !== undefined && { backoff: parseBackoff(backoff, 'with({ backoff })') }),
    ...(startAt !== undefined && startAt > now && { startAt }),
    ...(expires !== undefined && { expiresAt: timeOf(expires, now, 'with({ expires })') }),
    ...(timeout !== undefined && { timeout: parseDuration(timeout, 'with({ timeout })') }),
    // Also 0, when the call asks for it: a step of a workflow then does not get the priority of the step before.
    ...((priority !== 0 || source.options.priority === 0) && { priority: checkQueuePriority(source, priority) }),
    ...(resultTtl !== undefined && { resultTtl }),
  };
}

/**
 * The same options for a call that is stored later: durations stay durations, and a `Date` stays a time.
 *
 * @throws ConfigurationError naming the option and the value
 */
export function deferredOptions(source: OptionSource): DeferredOptions {
  const { delay, expires } = source.options;
  // Counted from time 0, the time of a duration is the duration itself.
  const { startAt, expiresAt, ...options } = callOptions(source, () => 0);
  return {
    options,
    ...(startAt !== undefined && { delay: delay instanceof Date ? { at: startAt } : startAt }),
    ...(expiresAt !== undefined && { expires: expires instanceof Date ? { at: expiresAt } : expiresAt }),
  };
}

/**
 * @param task the task's name, for the error
 * @throws NotSerializableError, PayloadTooLargeError when the headers cannot be stored
 */
export function checkHeaders(headers: Headers, task: string): Headers {
  const entries = Object.entries(headers);
  if (entries.length === 0) return headers;
  for (const [name, value] of entries) {
    if (typeof value !== 'string')
      throw new NotSerializableError(`headers.${name}`, `is ${typeof value}; headers are text.`);
  }
  const json = toJson(headers, 'headers') as Headers;
  const size = sizeBeyond(json, MAX_HEADERS);
  if (size !== undefined) throw new PayloadTooLargeError(`The headers of task "${task}"`, size, MAX_HEADERS);
  // The caller may change its own object before the call is stored.
  return json;
}

function checkQueuePriority(source: OptionSource, priority: number): number {
  const queue = queueOfCall(source);
  if (priority !== 0 && !source.hasPriorities(queue)) {
    throw new ConfigurationError(
      `Task "${source.definition.name}" is enqueued with priority ${priority}, but its queue "${queue}" has no priorities. Set queues: { ${queue}: { priorities: true } } in every process.`,
    );
  }
  return checkPriority(priority, 'with({ priority })');
}

/** @throws ConfigurationError when `when` is no duration and no date */
export function timeOf(when: Duration | Date, now: number, what: string): number {
  if (!(when instanceof Date)) return now + parseDuration(when, what);
  const time = when.getTime();
  if (Number.isNaN(time)) throw new ConfigurationError(`${what} is an invalid Date.`);
  if (time > LAST_TIME)
    throw new ConfigurationError(`${what} is ${when.toISOString()}. Give a time before the year 10000.`);
  return time;
}
