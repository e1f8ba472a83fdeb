import type { TaskHandle } from '../results/task-handle.js';
import type { EnqueueOptions } from '../tasks/task-options.js';
import type { CallPlace } from '../transactions/call-stores.js';
import type { TransactionLike } from '../transactions/transaction-adapter.js';
import { describePlan } from './describe-plan.js';
import { withLinks, type Plan } from './plan.js';
import { onlyRunningApp, type StartsWorkflows } from './running-apps.js';

/** The first argument of an `onError` signature: the error of the task that failed, and the task. */
export interface TaskError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  /** The id of the task that failed. */
  readonly id: string;
  /** The name of the task that failed. */
  readonly task: string;
}

/**
 * Makes `TaskError` a value too, so that a `@Task()` method may take one after a plain `import { TaskError }`. The
 * reason and the value are those of `Tasks`.
 */
export const TaskError: object = Object;

/** The functions that a signature needs beside its plan. */
interface Behaviour {
  /** The application of the signature's producers; `undefined` when the signature has no task. */
  readonly starter: StartsWorkflows | undefined;
  /** Where the signature is stored; `undefined` for the usual place. */
  readonly place?: CallPlace | undefined;
  /**
   * Enqueues the only task of the signature as its producer does. Such a call may be unique or have an idempotency key,
   * which a member of a workflow may not.
   */
  readonly enqueueTask?: (input: readonly unknown[], place: CallPlace | undefined) => Promise<TaskHandle>;
  /** Each makes a changed copy of the signature, without `onSuccess` and `onError`. */
  readonly copy: {
    with(options: EnqueueOptions): Signature;
    immutable(): Signature;
  };
}

/** The arguments of `enqueue()`: the argument that the signature lacks, or none when it lacks none. */
export type MissingArguments<Input> = 0 extends 1 & Input
  ? [input?: unknown]
  : unknown extends Input
    ? []
    : [Exclude<Input, void>] extends [never]
      ? []
      : void extends Input
        ? [input?: Exclude<Input, void>]
        : [input: Input];

declare const INPUT: unique symbol;
declare const RESULT: unique symbol;

/**
 * A call as a value: of one task (`producer.signature(...)`) or of several tasks (`chain`, `group`, `chord`). A
 * signature never changes: its methods return a new one. Only `enqueue()` stores it, and it can be enqueued and used in
 * other signatures any number of times.
 *
 * @typeParam Input the type of the first argument that an earlier result must supply; `void` when no argument is
 * missing, `unknown` when the signature accepts every earlier result and ignores it
 * @typeParam Result the type of the final result
 * @example
 * const handle = await chain(reports.fetch.signature('2026-11'), reports.render.signature())
 *   .onError(mails.apologise.signature())
 *   .enqueue();
 */
// eslint-disable-next-line typescript/no-explicit-any -- the only input and result every signature is assignable to
export class Signature<Input = any, Result = any> {
  /** Exists for the compiler alone. */
  declare readonly [INPUT]: (input: Input) => void;
  /** Exists for the compiler alone. */
  declare readonly [RESULT]: Result;

  readonly #plan: Plan;
  readonly #behaviour: Behaviour;

  /** @internal */
  constructor(plan: Plan, behaviour: Behaviour) {
    this.#plan = plan;
    this.#behaviour = behaviour;
    Object.freeze(this);
  }

  /**
   * Stores the workflow and resolves with a handle of its final result. Everything that is known so far is stored in
   * one atomic step: all steps of a chain, and all members of a group at its beginning.
   *
   * @param input the argument that is still missing: the first argument of the first step, or of each member of a group
   * at the beginning
   * @throws ConfigurationError when a task cannot be part of a workflow: it is unique, or has an idempotency key
   * @throws the errors of `producer.enqueue()`
   * @example
   * const scaled = chain(maths.add.signature(4), maths.double.signature());
   * await scaled.enqueue(16); // (16 + 4) * 2
   */
  async enqueue<Missing>(
    this: Signature<Missing, Result>,
    ...input: MissingArguments<NoInfer<Missing>>
  ): Promise<TaskHandle<Result>> {
    const { enqueueTask, starter, place } = this.#behaviour;
    const stored = enqueueTask
      ? enqueueTask(input, place)
      : (starter ?? onlyRunningApp()).start(this.#plan, input, place);
    return (await stored) as TaskHandle<Result>;
  }

  /**
   * Returns a copy that ignores an earlier result, so it fits anywhere in a chain. On a chain this applies to the first
   * step, on a group to each member.
   */
  immutable(): Signature<unknown, Result> {
    return this.#withOwnLinks(this.#behaviour.copy.immutable());
  }

  /**
   * Returns a copy with these options. On a chain, group or chord they apply to each of its tasks, except
   * `delay`, which applies to the tasks that start first. The `delay` of a single step counts from the time at which
   * the chain reaches the step; a `Date` is that time.
   *
   * @example chain(maths.add.signature(1, 2), maths.double.signature()).with({ delay: '10s', retries: 3 })
   */
  with(options: EnqueueOptions): Signature<Input, Result> {
    return this.#withOwnLinks(this.#behaviour.copy.with(options));
  }

  /**
   * Returns a copy that is stored in a transaction of the application, as `producer.in(transaction)` stores its calls: all tasks
   * of the workflow exist once the transaction has committed.
   *
   * @example await chain(orders.pay.signature(id), orders.ship.signature()).in(manager).enqueue();
   */
  in(transaction: TransactionLike): Signature<Input, Result> {
    return this.#at((stores) => stores.in(transaction));
  }

  /** Returns a copy that is stored at once, as `producer.outside()` stores its calls. */
  outside(): Signature<Input, Result> {
    return this.#at((stores) => stores.outside());
  }

  /**
   * Returns a copy that enqueues `other` once it succeeded, with the result as the first argument of `other`. A handle of
   * the copy does not wait for `other`.
   */
  onSuccess(other: Signature<Result>): Signature<Input, Result> {
    return this.#withPlan(withLinks(this.#plan, { onSuccess: [other.#plan] }));
  }

  /**
   * Returns a copy that enqueues `other` once it failed, with the {@link TaskError} as the first argument of `other`. A
   * cancelled task or workflow does not enqueue `other`.
   */
  onError(other: Signature<TaskError>): Signature<Input, Result> {
    return this.#withPlan(withLinks(this.#plan, { onError: [other.#plan] }));
  }

  /** The whole signature as JSON. */
  toJSON(): Plan {
    return this.#plan;
  }

  /** The signature as text, for logs: `chain(Maths.add(1, 2), Maths.double())`. */
  toString(): string {
    return describePlan(this.#plan);
  }

  /** @internal */
  get plan(): Plan {
    return this.#plan;
  }

  /** @internal */
  get starter(): StartsWorkflows | undefined {
    return this.#behaviour.starter;
  }

  /** @internal */
  get place(): CallPlace | undefined {
    return this.#behaviour.place;
  }

  /** The copy with the links and the place of this signature. */
  #withOwnLinks<I>(copy: Signature): Signature<I, Result> {
    const { onSuccess, onError } = this.#plan;
    const { place } = this.#behaviour;
    const placed = place && !copy.place ? copy.#at(place) : copy;
    return onSuccess || onError ? placed.#withPlan(withLinks(placed.#plan, this.#plan)) : placed;
  }

  #at(place: CallPlace): Signature<Input, Result> {
    return new Signature(this.#plan, { ...this.#behaviour, place });
  }

  /** A task with links is enqueued as a workflow, so `enqueueTask` is left out. */
  #withPlan(plan: Plan): Signature<Input, Result> {
    const { starter, place, copy } = this.#behaviour;
    return new Signature(plan, { starter, place, copy });
  }
}
