import type { CallOptions, Headers, Receipt, TaskCall } from '../engine/task.js';
import { refuseConflict } from '../engine/deduplication.js';
import type { Json } from '../engine/json.js';
import type { Topology } from '../engine/shards/topology.js';
import { newTaskId } from '../engine/task-id.js';
import { ConfigurationError } from '../errors.js';
import { checkObject } from '../option-fields.js';
import { TaskHandle } from '../results/task-handle.js';
import type { TaskResults } from '../results/task-results.js';
import { group } from '../workflows/chain-group-chord.js';
import type { CallPlace, CallStore, CallStores } from '../transactions/call-stores.js';
import type { TransactionLike } from '../transactions/transaction-adapter.js';
import type { TaskPlan } from '../workflows/plan.js';
import type { StartsWorkflows } from '../workflows/running-apps.js';
import { Signature } from '../workflows/signature.js';
import type { TaskFunction } from '../tasks/task-contract.js';
import type { TaskDefinition } from '../tasks/task-definition.js';
import type { EnqueueOptions } from '../tasks/task-options.js';
import type { TaskTemplate } from '../tasks/task-template.js';
import { uniquenessOf } from '../tasks/uniqueness.js';
import { validateArguments } from '../tasks/validate-arguments.js';
import {
  callOptions,
  checkHeaders,
  deferredOptions,
  queueOfCall,
  refuseOtherShard,
  type OptionSource,
} from './call-options.js';
import { jsonArguments } from './json-arguments.js';
import type {
  ArgumentList,
  ArgumentsOf,
  HasJsonResult,
  MissingInput,
  ResultOfTask,
  SignatureArguments,
} from './signature-types.js';

/** The parts of the application that all its producers share. */
export interface ProducerDeps {
  readonly stores: CallStores;
  readonly results: TaskResults;
  readonly starter: StartsWorkflows;
  /** Bytes of JSON of the arguments. */
  readonly maxPayload: number;
  readonly hasPriorities: (queue: string) => boolean;
  readonly topology: Topology;
  /** The headers of the task that makes the call; empty outside of tasks. */
  readonly currentHeaders: () => Headers;
}

/**
 * Enqueues one task. Its methods take the arguments of the task's method, and their results have its return type, both
 * in the form that JSON gives them. `@InjectTasks()` injects producers, `taskQueue.of()` returns them.
 *
 * @typeParam F the type of the task's method
 * @example
 * const handle = await this.reports.build.enqueue('2026-11');
 * const report = await handle.result({ timeout: '1m' });
 */
export class TaskProducer<F extends TaskFunction = TaskFunction> {
  readonly #deps: ProducerDeps;
  readonly #define: () => TaskDefinition;
  readonly #options: EnqueueOptions;
  readonly #place: CallPlace | undefined;
  /** The options of every call of a definition, where none of them depends on the time of the call. */
  #steady: { readonly definition: TaskDefinition; readonly options: CallOptions } | undefined;

  /**
   * @param define called at each use: a producer that is made by name in a constructor exists before the tasks of the
   * application are known
   * @param place where calls are stored; default: in the transaction that is open at the call, if the application tells it
   * @internal
   */
  constructor(deps: ProducerDeps, define: () => TaskDefinition, options: EnqueueOptions = {}, place?: CallPlace) {
    this.#deps = deps;
    this.#define = define;
    this.#options = options;
    this.#place = place;
  }

  /** The task's name. */
  get name(): string {
    return this.#definition.name;
  }

  /**
   * Returns a producer whose calls have these options too; an option that is given again replaces the earlier one, and
   * headers are merged. This producer does not change. The options are checked when a call is made, and headers that are no
   * object at once.
   *
   * @example await reports.build.with({ delay: '10m' }).enqueue('2026-11')
   */
  with(options: EnqueueOptions): TaskProducer<F> {
    if (options.headers)
      checkObject(options.headers, 'with({ headers })', "Give texts by their names: { tenant: '7' }.");
    const headers = { ...this.#options.headers, ...options.headers };
    return new TaskProducer<F>(this.#deps, this.#define, { ...this.#options, ...options, headers }, this.#place);
  }

  /**
   * Returns a producer that stores its calls in a transaction of the application: a task exists once the transaction has
   * committed, and never after its rollback. `transaction` is checked when a call is made.
   *
   * Where the tasks are stored in the same PostgreSQL database, a call takes one statement on the connection of the
   * transaction; elsewhere the call goes through an outbox. With `connection: 'memory:'` it is stored at once.
   *
   * @param transaction what the library of the database calls its transaction; see {@link TransactionLike}
   * @example
   * await this.dataSource.transaction(async (manager) => {
   *   const order = await manager.save(Order, dto);
   *   await this.mails.confirm.in(manager).enqueue(order.id);
   * });
   */
  in(transaction: TransactionLike): TaskProducer<F> {
    return this.#at((stores) => stores.in(transaction));
  }

  /**
   * Returns a producer that stores its calls at once, also while the transaction is open that the option `transaction` of the
   * module returns.
   */
  outside(): TaskProducer<F> {
    return this.#at((stores) => stores.outside());
  }

  /**
   * Stores a call of the task. Resolves as soon as the call is stored, with a handle that follows the task; it does not
   * wait for the task to run.
   *
   * The handle's result has the type that JSON makes of the method's return type: text for a `Date`. The call does not
   * compile when that type contains a type that JSON cannot represent: `Map`, `Set`, `bigint`, `symbol`, a function.
   *
   * @param args the arguments of the task's method; they must survive JSON. A `Date` may be its ISO text
   * @throws NotSerializableError, PayloadTooLargeError when the arguments or headers cannot be stored
   * @throws InvalidArgumentsError when the arguments do not fit the task's schema, or when `idempotencyKey`,
   * `idempotencyScope` or the value of `unique.key` is not a text of 1 to 255 characters
   * @throws IdempotencyConflictError when the idempotency key was used with other arguments
   * @throws ConfigurationError when an option of `with()` is wrong
   * @throws QueueFullError when the queue has `maxQueued` tasks
   * @throws EngineUnavailableError when the engine cannot be reached within `enqueueTimeout`
   */
  async enqueue(
    this: TaskProducer<F> & HasJsonResult<F>,
    ...args: ArgumentsOf<F>
  ): Promise<TaskHandle<ResultOfTask<F>>> {
    const store = this.#store();
    const call = this.#call(args, this.#callOptions(store), this.#headers());
    if (this.#definition.schema) await validateArguments(this.#definition, call.args);
    const calls = await this.#byTimeOfStore([this.#withUniqueness(call)], store);
    const [receipt] = await store.port.enqueue(calls);
    return this.#handle(receipt as Receipt, store);
  }

  /**
   * Stores many calls of the task, in at most one round trip per thousand. All calls are checked before the first one
   * is stored. When they do not all fit into a queue with `maxQueued`, none is stored.
   *
   * @param list the arguments of each call
   * @returns one handle for each call, in the same order
   * @throws the errors of {@link enqueue}; the path of a value names its call: `args[17][0]`
   * @example await this.mails.welcome.enqueueMany([[1], [2], [3]]);
   */
  async enqueueMany(
    this: TaskProducer<F> & HasJsonResult<F>,
    list: readonly ArgumentList<F>[],
  ): Promise<TaskHandle<ResultOfTask<F>>[]> {
    const store = this.#store();
    const options = this.#callOptions(store);
    const headers = this.#headers();
    const calls = list.map((args, index) => this.#call(args, options, headers, index));
    if (this.#definition.schema)
      await Promise.all(calls.map(({ args }, index) => validateArguments(this.#definition, args, `args[${index}]`)));
    const unique = calls.map((call) => this.#withUniqueness(call));
    // They have one idempotency key, if any, so all of them have to be the same call.
    for (const call of unique) refuseConflict(call, unique[0] as TaskCall);
    const receipts = await store.port.enqueue(await this.#byTimeOfStore(unique, store));
    return receipts.map((receipt) => this.#handle(receipt, store));
  }

  /**
   * Returns a call as a value, for workflows. Stores nothing. The first argument may be left out: an earlier result
   * then becomes the first argument.
   *
   * @throws NotSerializableError, PayloadTooLargeError when the arguments or headers cannot be stored
   * @throws ConfigurationError when an option of `with()` is wrong
   * @example chain(maths.add.signature(1, 2), maths.double.signature()).enqueue()
   */
  signature<A extends SignatureArguments<F>>(
    this: TaskProducer<F> & HasJsonResult<F>,
    ...args: A
  ): Signature<MissingInput<F, A>, ResultOfTask<F>> {
    return this.#signature(this.#json(args), {});
  }

  /**
   * Returns one task that runs the method for each item, one after the other; a method that takes batches gets the items as batches. Its
   * result is the list of results.
   */
  map(list: readonly ArgumentsOf<F>[0][]): Signature<unknown, ResultOfTask<F>[]> {
    return this.starmap(list.map((item) => [item] as unknown as Parameters<F>));
  }

  /** Does the same as {@link map} for a method of several arguments: each item is a list of arguments. */
  starmap(list: readonly ArgumentList<F>[]): Signature<unknown, ResultOfTask<F>[]> {
    return this.#signature(this.#json(list), { each: true, immutable: true });
  }

  /**
   * Returns a group of tasks, each of which runs the method for `size` lists of arguments, one after the other. Its
   * result is a list with one list of results for each task.
   *
   * @throws RangeError when `size` is not a whole number from 1
   */
  chunks(list: readonly ArgumentList<F>[], size: number): Signature<unknown, ResultOfTask<F>[][]> {
    if (!Number.isInteger(size) || size < 1)
      throw new RangeError(`The size of a chunk is ${String(size)}. Give a whole number from 1.`);
    const chunks: Signature<unknown, ResultOfTask<F>[]>[] = [];
    for (let start = 0; start < list.length; start += size) chunks.push(this.starmap(list.slice(start, start + size)));
    return group(chunks);
  }

  /**
   * The call that `enqueue(...args)` would store, as a template from which a schedule makes its calls. The headers of
   * the task that runs now are not part of it.
   *
   * @throws ConfigurationError when an option of `with()` has a meaning only for a call that is stored now
   * @internal
   */
  async toTemplate(args: readonly unknown[]): Promise<TaskTemplate> {
    const { delay, expires, idempotencyKey, headers = {} } = this.#options;
    if (delay !== undefined || idempotencyKey !== undefined || expires instanceof Date) {
      throw new ConfigurationError(
        `A schedule enqueues task "${this.name}" repeatedly, so with({ delay }), with({ idempotencyKey }) and an \`expires\` that is a Date cannot be used with it.`,
      );
    }
    const deferred = deferredOptions(this.#source);
    const { id: _, ...call } = this.#call(args, deferred.options, checkHeaders(headers, this.name));
    await validateArguments(this.#definition, call.args);
    return {
      ...this.#withUniqueness(call),
      ...(typeof deferred.expires === 'number' && { expires: deferred.expires }),
    };
  }

  get #definition(): TaskDefinition {
    return this.#define();
  }

  get #source(): OptionSource {
    return { definition: this.#define(), options: this.#options, hasPriorities: this.#deps.hasPriorities };
  }

  /** Must be called before the first `await` of a call. */
  #store(): CallStore {
    return this.#place ? this.#place(this.#deps.stores) : this.#deps.stores.ambient();
  }

  #at(place: CallPlace): TaskProducer<F> {
    return new TaskProducer<F>(this.#deps, this.#define, this.#options, place);
  }

  #handle({ id, deduplicated, state }: Receipt, { transaction }: CallStore): TaskHandle<ResultOfTask<F>> {
    return new TaskHandle(this.#deps.results, {
      id,
      name: this.name,
      deduplicated,
      initialState: state,
      // An earlier task exists already.
      ...(!deduplicated && { transaction }),
    });
  }

  #callOptions({ port }: CallStore): CallOptions {
    const source = this.#source;
    const { definition } = source;
    if (this.#steady?.definition === definition) return this.#steady.options;
    const options = callOptions(source, () => port.now());
    if (!this.#dependsOnTime(definition)) this.#steady = { definition, options };
    return options;
  }

  #dependsOnTime({ expires }: TaskDefinition): boolean {
    return this.#options.delay !== undefined || (this.#options.expires ?? expires) !== undefined;
  }

  /** The calls with the times of the store. In a process that has not reached its store yet, they were computed by its own clock. */
  #byTimeOfStore(calls: readonly TaskCall[], store: CallStore): readonly TaskCall[] | Promise<readonly TaskCall[]> {
    const known = this.#dependsOnTime(this.#definition) ? store.port.untilTimeKnown?.() : undefined;
    if (!known) return calls;
    return known.then(() => {
      const options = this.#callOptions(store);
      return calls.map((call) => ({ ...call, options }));
    });
  }

  /** @param index the place of the call among several, for the path in errors */
  #call(args: readonly unknown[], options: CallOptions, headers: Headers, index?: number): TaskCall {
    const json = this.#json(args, index);
    const queue = queueOfCall(this.#source);
    return { id: newTaskId(queue), name: this.name, queue, args: json, headers, options };
  }

  /** Must be called after the schema has checked the arguments, because `unique.key` relies on their form. */
  #withUniqueness<C extends Pick<TaskCall, 'args'>>(call: C): C & Pick<TaskCall, 'unique'> {
    const unique = uniquenessOf(this.#definition, call.args, this.#options);
    if (unique || this.#definition.batch) refuseOtherShard(this.#source, this.#deps.topology);
    return unique ? { ...call, unique } : call;
  }

  #json(args: readonly unknown[], index?: number): readonly Json[] {
    const path = index === undefined ? 'args' : `args[${index}]`;
    return jsonArguments(args, { path, task: this.name, maxPayload: this.#deps.maxPayload });
  }

  #signature(args: readonly Json[], kind: Pick<TaskPlan, 'immutable' | 'each'>): Signature {
    const plan: TaskPlan = { ...this.#plan(args), ...kind };
    const signatureOf = (producer: TaskProducer<F>, changes: typeof kind) =>
      producer.#signature(args, { ...kind, ...changes });
    return new Signature(plan, {
      starter: this.#deps.starter,
      place: this.#place,
      ...(!kind.each && {
        enqueueTask: (input, place) =>
          (place ? this.#at(place) : this).enqueue(...([...(kind.immutable ? [] : input), ...args] as Parameters<F>)),
      }),
      copy: {
        with: (options) => signatureOf(this.with(options), {}),
        immutable: () => signatureOf(this, { immutable: true }),
      },
    });
  }

  #plan(args: readonly Json[]): TaskPlan {
    const { options, ...times } = deferredOptions(this.#source);
    const { idempotencyKey, headers = {} } = this.#options;
    const alone =
      idempotencyKey === undefined ? this.#definition.unique && 'is unique' : 'is enqueued with an idempotency key';
    return {
      task: this.name,
      queue: queueOfCall(this.#source),
      args,
      ...(Object.keys(options).length > 0 && { options }),
      ...times,
      ...(Object.keys(headers).length > 0 && { headers: checkHeaders(headers, this.name) }),
      ...(alone && { alone }),
    };
  }

  #headers(): Headers {
    return checkHeaders({ ...this.#deps.currentHeaders(), ...this.#options.headers }, this.name);
  }
}
