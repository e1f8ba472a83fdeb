import { parseDuration, type Duration } from '../duration.js';
import type { Engine } from '../engine/engine.js';
import type { CallOptions, Headers, Receipt, TaskCall } from '../engine/task.js';
import { sizeBeyond, toJson, type Json } from '../engine/json.js';
import { newTaskId } from '../engine/task-id.js';
import { ConfigurationError, NotSerializableError, PayloadTooLargeError } from '../errors.js';
import { TaskHandle } from '../results/task-handle.js';
import type { TaskResults } from '../results/task-results.js';
import { group } from '../workflows/chain-group-chord.js';
import type { TaskPlan } from '../workflows/plan.js';
import type { StartsWorkflows } from '../workflows/running-apps.js';
import { Signature } from '../workflows/signature.js';
import type { TaskFunction } from '../tasks/task-contract.js';
import {
  checkPriority,
  checkQueueName,
  checkRetries,
  parseBackoff,
  type TaskDefinition,
} from '../tasks/task-definition.js';
import type { EnqueueOptions } from '../tasks/task-options.js';
import type { TaskTemplate } from '../tasks/task-template.js';
import { uniquenessOf } from '../tasks/uniqueness.js';
import { validateArguments } from '../tasks/validate-arguments.js';
import type { MissingInput, ResultOfTask, SignatureArguments } from './signature-types.js';

/** Headers are for identifiers (a trace, a tenant, a user), not for data. */
const MAX_HEADERS = 16 * 1024;

/** What all producers of an application share. */
export interface ProducerDeps {
  readonly engine: Engine;
  readonly results: TaskResults;
  readonly starter: StartsWorkflows;
  /** Bytes of JSON of the arguments. */
  readonly maxPayload: number;
  readonly hasPriorities: (queue: string) => boolean;
  /** Headers of the task that runs around the caller. */
  readonly currentHeaders: () => Headers;
}

/**
 * Enqueues one task, typed from its method.
 *
 * @typeParam F the type of the task's method
 */
export class TaskProducer<F extends TaskFunction = TaskFunction> {
  readonly #deps: ProducerDeps;
  readonly #definition: TaskDefinition;
  readonly #options: EnqueueOptions;

  /** @internal */
  constructor(deps: ProducerDeps, definition: TaskDefinition, options: EnqueueOptions = {}) {
    this.#deps = deps;
    this.#definition = definition;
    this.#options = options;
  }

  /** The task's name. */
  get name(): string {
    return this.#definition.name;
  }

  /**
   * A producer whose calls have these options, over those of this one; this one stays as it is.
   *
   * @example await reports.build.with({ delay: '10m' }).enqueue('2026-11')
   */
  with(options: EnqueueOptions): TaskProducer<F> {
    const headers = { ...this.#options.headers, ...options.headers };
    return new TaskProducer<F>(this.#deps, this.#definition, { ...this.#options, ...options, headers });
  }

  /**
   * Stores the call and resolves as soon as that is done, with a handle to follow it.
   *
   * @throws NotSerializableError, PayloadTooLargeError, InvalidArgumentsError for arguments that cannot be stored or do
   * not fit the task's schema
   * @throws IdempotencyConflictError when the idempotency key was used with other arguments
   * @throws EngineUnavailableError when the engine cannot be reached within `enqueueTimeout`
   */
  async enqueue(...args: Parameters<F>): Promise<TaskHandle<Awaited<ReturnType<F>>>> {
    const call = this.#call(args, this.#callOptions(), this.#headers());
    if (this.#definition.schema) await validateArguments(this.#definition, call.args);
    const [receipt] = await this.#deps.engine.enqueue([call]);
    return this.#handle(receipt as Receipt);
  }

  /**
   * Stores many calls, in at most one round trip per thousand. All are checked before any is stored.
   *
   * @param list the arguments of each call
   * @returns handles in the same order
   * @throws as {@link enqueue}; the path in the error tells which call it is
   */
  async enqueueMany(list: readonly Readonly<Parameters<F>>[]): Promise<TaskHandle<Awaited<ReturnType<F>>>[]> {
    const options = this.#callOptions();
    const headers = this.#headers();
    const calls = list.map((args, index) => this.#call(args, options, headers, index));
    if (this.#definition.schema) await Promise.all(calls.map((call) => validateArguments(this.#definition, call.args)));
    const receipts = await this.#deps.engine.enqueue(calls);
    return receipts.map((receipt) => this.#handle(receipt));
  }

  /**
   * The call as a value, for workflows: complete, or without its first argument, which an earlier result will be.
   *
   * @throws NotSerializableError, PayloadTooLargeError for arguments that cannot be stored
   */
  signature<A extends SignatureArguments<F>>(...args: A): Signature<MissingInput<F, A>, ResultOfTask<F>> {
    return this.#signature(this.#json(args), {});
  }

  /** One task that runs the method for each of these, one after the other; gives the list of results. */
  map(list: readonly Parameters<F>[0][]): Signature<unknown, ResultOfTask<F>[]> {
    return this.starmap(list.map((item) => [item] as unknown as Parameters<F>));
  }

  /** As {@link map}, with a list of arguments for each. */
  starmap(list: readonly Readonly<Parameters<F>>[]): Signature<unknown, ResultOfTask<F>[]> {
    return this.#signature(this.#json(list), { each: true, immutable: true });
  }

  /** A group of tasks that each run the method for `size` of these lists of arguments; gives a list of lists. */
  chunks(list: readonly Readonly<Parameters<F>>[], size: number): Signature<unknown, ResultOfTask<F>[][]> {
    if (!Number.isInteger(size) || size < 1)
      throw new RangeError(`The size of a chunk is ${String(size)}. Give a whole number from 1.`);
    const chunks: Signature<unknown, ResultOfTask<F>[]>[] = [];
    for (let start = 0; start < list.length; start += size) chunks.push(this.starmap(list.slice(start, start + size)));
    return group(chunks);
  }

  /**
   * The call that `enqueue(...args)` would store, for whoever stores it later. The headers of a task that runs now do not
   * belong to it.
   *
   * @throws ConfigurationError for options that make sense now only
   * @internal
   */
  async template(args: readonly unknown[]): Promise<TaskTemplate> {
    const { delay, expires, idempotencyKey, headers = {} } = this.#options;
    if (delay !== undefined || idempotencyKey !== undefined || expires instanceof Date) {
      throw new ConfigurationError(
        `Task "${this.name}" is to be enqueued again and again, so with({ delay }), with({ idempotencyKey }) and an \`expires\` that is a Date cannot be used with it.`,
      );
    }
    // Counted from 0, a moment is a duration.
    const { expiresAt, ...options } = this.#callOptions(0);
    const { id: _, ...call } = this.#call(args, options, this.#checkedHeaders(headers));
    await validateArguments(this.#definition, call.args);
    return { ...call, ...(expiresAt !== undefined && { expires: expiresAt }) };
  }

  #handle({ id, deduplicated, state }: Receipt): TaskHandle<Awaited<ReturnType<F>>> {
    return new TaskHandle(this.#deps.results, { id, name: this.name, deduplicated, initialState: state });
  }

  /** @param index of the call among several, for the path in errors */
  #call(args: readonly unknown[], options: CallOptions, headers: Headers, index?: number): TaskCall {
    const json = this.#json(args, index);
    const queue = this.#queue;
    const unique = uniquenessOf(this.#definition, json, this.#options.idempotencyKey);
    return { id: newTaskId(queue), name: this.name, queue, args: json, headers, options, ...(unique && { unique }) };
  }

  #json(args: readonly unknown[], index?: number): readonly Json[] {
    const json = toJson([...args], index === undefined ? 'args' : `args[${index}]`) as readonly Json[];
    const { maxPayload } = this.#deps;
    const size = sizeBeyond(json, maxPayload);
    if (size === undefined) return json;
    throw new PayloadTooLargeError(`The arguments of task "${this.name}"`, size, maxPayload);
  }

  #signature(args: readonly Json[], kind: Pick<TaskPlan, 'immutable' | 'each'>): Signature {
    const plan: TaskPlan = { ...this.#plan(args), ...kind };
    const again = (producer: TaskProducer<F>, some: typeof kind) => producer.#signature(args, { ...kind, ...some });
    return new Signature(plan, {
      starter: this.#deps.starter,
      ...(!kind.each && {
        alone: (input) => this.enqueue(...([...(kind.immutable ? [] : input), ...args] as Parameters<F>)),
      }),
      rework: {
        with: (options) => again(this.with(options), {}),
        immutable: () => again(this, { immutable: true }),
      },
    });
  }

  #plan(args: readonly Json[]): TaskPlan {
    // Counted from 0, a moment is a duration.
    const { startAt, expiresAt, ...options } = this.#callOptions(0);
    const { delay, expires, idempotencyKey, headers = {} } = this.#options;
    const alone =
      idempotencyKey === undefined ? this.#definition.unique && 'is unique' : 'is enqueued with an idempotency key';
    return {
      task: this.name,
      queue: this.#queue,
      args,
      ...(Object.keys(options).length > 0 && { options }),
      ...(startAt !== undefined && { delay: delay instanceof Date ? { at: startAt } : startAt }),
      ...(expiresAt !== undefined && { expires: expires instanceof Date ? { at: expiresAt } : expiresAt }),
      ...(Object.keys(headers).length > 0 && { headers: this.#checkedHeaders(headers) }),
      ...(alone && { alone }),
    };
  }

  get #queue(): string {
    const { queue } = this.#options;
    return queue === undefined ? this.#definition.queue : checkQueueName(queue, 'with({ queue })');
  }

  /** What is stored with the call: what the worker's own declaration does not say, or not yet. */
  #callOptions(now = Date.now()): CallOptions {
    const {
      delay,
      retries,
      timeout,
      backoff,
      expires = this.#definition.expires,
      priority = this.#definition.priority,
    } = this.#options;
    const attempts = checkRetries(retries ?? this.#definition.retries, 'with({ retries })') + 1;
    const startAt = delay === undefined ? undefined : moment(delay, now, 'with({ delay })');
    const { resultTtl } = this.#definition;
    return {
      ...((attempts > 1 || retries !== undefined) && { attempts }),
      ...(backoff !== undefined && { backoff: parseBackoff(backoff, 'with({ backoff })') }),
      ...(startAt !== undefined && startAt > now && { startAt }),
      ...(expires !== undefined && { expiresAt: moment(expires, now, 'with({ expires })') }),
      ...(timeout !== undefined && { timeout: parseDuration(timeout, 'with({ timeout })') }),
      ...(priority !== 0 && { priority: this.#checkedPriority(priority) }),
      ...(resultTtl !== undefined && { resultTtl }),
    };
  }

  #checkedPriority(priority: number): number {
    if (!this.#deps.hasPriorities(this.#queue)) {
      throw new ConfigurationError(
        `Task "${this.name}" is enqueued with priority ${priority}, but its queue "${this.#queue}" has no priorities. Set queues: { ${this.#queue}: { priorities: true } } in every process.`,
      );
    }
    return checkPriority(priority, 'with({ priority })');
  }

  #headers(): Headers {
    return this.#checkedHeaders({ ...this.#deps.currentHeaders(), ...this.#options.headers });
  }

  #checkedHeaders(headers: Headers): Headers {
    for (const [name, value] of Object.entries(headers)) {
      if (typeof value !== 'string')
        throw new NotSerializableError(`headers.${name}`, `is ${typeof value}; headers are text.`);
    }
    const size = sizeBeyond(toJson(headers, 'headers'), MAX_HEADERS);
    if (size !== undefined) throw new PayloadTooLargeError(`The headers of task "${this.name}"`, size, MAX_HEADERS);
    return headers;
  }
}

function moment(when: Duration | Date, now: number, what: string): number {
  if (!(when instanceof Date)) return now + parseDuration(when, what);
  const time = when.getTime();
  if (Number.isNaN(time)) throw new ConfigurationError(`${what} is an invalid Date.`);
  return time;
}
