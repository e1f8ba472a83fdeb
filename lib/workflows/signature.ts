import type { TaskHandle } from '../results/task-handle.js';
import type { EnqueueOptions } from '../tasks/task-options.js';
import { describePlan } from './describe-plan.js';
import { withLinks, type Plan } from './plan.js';
import { runningStarter, type StartsWorkflows } from './running-apps.js';

/** What an `onError` signature gets as its first argument. */
export interface TaskError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  /** The task that failed. */
  readonly id: string;
  readonly task: string;
}

/** What a signature can do beyond carrying its plan. */
interface Behaviour {
  readonly starter: StartsWorkflows | undefined;
  /** Enqueues a lone task as its producer does, with all that holds for calls and not for members of workflows. */
  readonly alone?: (input: readonly unknown[]) => Promise<TaskHandle>;
  readonly rework: {
    with(options: EnqueueOptions): Signature;
    immutable(): Signature;
  };
}

/** The arguments of `enqueue()`: what is missing, and nothing where nothing is. */
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
 * A call as a value: of one task (`producer.signature(...)`), or of several (`chain`, `group`, `chord`). It is never
 * changed, nothing is stored before `enqueue()`, and the same signature may be used any number of times.
 *
 * @typeParam Input what it needs from an earlier result as its first argument; `void` when nothing is missing,
 * `unknown` when it takes anything and heeds nothing
 * @typeParam Result what it gives
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
   * Stores it, all that can start in one atomic step, and resolves with a handle of its final result.
   *
   * @param input what is still missing: the first argument of whatever starts first, of each member of a group
   * @example const scaled = chain(maths.add.signature(4), maths.double.signature());
   * await scaled.enqueue(16); // (16 + 4) * 2
   * @throws ConfigurationError for a task that cannot be part of a workflow: one that is unique, or with an idempotency key
   * @throws as `producer.enqueue()`
   */
  async enqueue<Missing>(
    this: Signature<Missing, Result>,
    ...input: MissingArguments<NoInfer<Missing>>
  ): Promise<TaskHandle<Result>> {
    const { alone, starter } = this.#behaviour;
    const started = alone ? alone(input) : (starter ?? runningStarter()).start(this.#plan, input);
    return (await started) as TaskHandle<Result>;
  }

  /** The same, taking no earlier result: it fits anywhere in a chain. */
  immutable(): Signature<unknown, Result> {
    return this.#relinked(this.#behaviour.rework.immutable());
  }

  /**
   * The same with these options; on a chain, group or chord for each of its tasks, except that `delay` holds for what
   * starts first.
   */
  with(options: EnqueueOptions): Signature<Input, Result> {
    return this.#relinked(this.#behaviour.rework.with(options));
  }

  /** The same, and once it succeeded another is enqueued, with the result as its first argument. */
  onSuccess(other: Signature<Result>): Signature<Input, Result> {
    return this.#with(withLinks(this.#plan, { onSuccess: [other.#plan] }));
  }

  /** The same, and once it failed another is enqueued, with the {@link TaskError} as its first argument. */
  onError(other: Signature<TaskError>): Signature<Input, Result> {
    return this.#with(withLinks(this.#plan, { onError: [other.#plan] }));
  }

  /** All of it as JSON. */
  toJSON(): Plan {
    return this.#plan;
  }

  /** @example `chain(Maths.add(1, 2), Maths.double())` */
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

  #relinked<I>(reworked: Signature): Signature<I, Result> {
    const { onSuccess, onError } = this.#plan;
    return onSuccess || onError ? reworked.#with(withLinks(reworked.#plan, this.#plan)) : reworked;
  }

  #with(plan: Plan): Signature<Input, Result> {
    const { starter, rework } = this.#behaviour;
    return new Signature(plan, { starter, rework });
  }
}
