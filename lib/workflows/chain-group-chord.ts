import type { EnqueueOptions } from '../tasks/task-options.js';
import { type Plan } from './plan.js';
import { Signature } from './signature.js';

/** The result type of a signature. */
export type ResultOf<T> = T extends Signature<infer _Input, infer Result> ? Result : never;

/** The input type that every one of these signatures accepts. */
type InputOfAll<T extends readonly Signature[]> = T extends readonly []
  ? unknown
  : T[number] extends Signature<infer Input, infer _Result>
    ? Input
    : never;

type Results<T extends readonly Signature[]> = { -readonly [K in keyof T]: ResultOf<T[K]> };

/** The entry of one member in the result of a group with `onFailure: 'collect'`. */
export type Collected<R> =
  | { readonly ok: true; readonly value: R }
  | { readonly ok: false; readonly error: { readonly name: string; readonly message: string; readonly code?: string } };

type CollectedResults<T extends readonly Signature[]> = { -readonly [K in keyof T]: Collected<ResultOf<T[K]>> };

type S<I, R> = Signature<I, R>;

type NineOrMore = readonly [
  ...[Signature, Signature, Signature, Signature, Signature, Signature, Signature, Signature, Signature],
  ...Signature[],
];

type InputOf<T> = T extends Signature<infer Input, infer _Result> ? Input : never;

/** Steps that fit each other. Steps that do not are compared with the types that they must have. */
type Checked<T extends readonly Signature[]> = T extends Linked<T> ? T : Linked<T>;

/** The signature of a chain of these steps. */
type OfSteps<T extends readonly Signature[]> = Signature<InputOf<T[0]>, LastResult<T>>;

/** The types that the steps of a chain must have: each takes the result of the step before. */
type Linked<
  T extends readonly Signature[],
  Before = InputOf<T[0]>,
  Done extends Signature[] = [],
> = T extends readonly [infer Step, ...infer Rest extends readonly Signature[]]
  ? Linked<Rest, ResultOf<Step>, [...Done, Signature<Before, ResultOf<Step>>]>
  : T extends readonly []
    ? Done
    : [...Done, ...Signature<Before | ResultOf<T[number]>, ResultOf<T[number]>>[]];

/** The result of the last step. */
type LastResult<T extends readonly Signature[], Before = never> = T extends readonly [
  infer Step,
  ...infer Rest extends readonly Signature[],
]
  ? LastResult<Rest, ResultOf<Step>>
  : T extends readonly []
    ? Before
    : Before | ResultOf<T[number]>;

/**
 * Runs signatures one after the other. The result of each step becomes the first argument of the next step, unless that
 * step is `immutable()`; the result of the last step is the result of the chain. A step that fails makes the chain fail
 * with `WorkflowFailedError`, and the later steps do not run.
 *
 * Returns a signature and stores nothing. Steps that do not fit each other do not compile.
 *
 * @throws TypeError when there is no step
 * @example chain(maths.add.signature(1, 2), maths.double.signature()).enqueue(); // (1 + 2) * 2
 */
export function chain<I, A>(a: S<I, A>): S<I, A>;
export function chain<I, A, B>(a: S<I, A>, b: S<A, B>): S<I, B>;
export function chain<I, A, B, C>(a: S<I, A>, b: S<A, B>, c: S<B, C>): S<I, C>;
export function chain<I, A, B, C, D>(a: S<I, A>, b: S<A, B>, c: S<B, C>, d: S<C, D>): S<I, D>;
export function chain<I, A, B, C, D, E>(a: S<I, A>, b: S<A, B>, c: S<B, C>, d: S<C, D>, e: S<D, E>): S<I, E>;
export function chain<I, A, B, C, D, E, F>(...steps: [S<I, A>, S<A, B>, S<B, C>, S<C, D>, S<D, E>, S<E, F>]): S<I, F>;
export function chain<I, A, B, C, D, E, F, G>(
  ...steps: [S<I, A>, S<A, B>, S<B, C>, S<C, D>, S<D, E>, S<E, F>, S<F, G>]
): S<I, G>;
export function chain<I, A, B, C, D, E, F, G, H>(
  ...steps: [S<I, A>, S<A, B>, S<B, C>, S<C, D>, S<D, E>, S<E, F>, S<F, G>, S<G, H>]
): S<I, H>;
/** Nine steps or more. */
export function chain<T extends NineOrMore>(...steps: Checked<T>): OfSteps<T>;
/** Any number of steps, where each step after the first returns the type that it takes. */
export function chain<I, T>(first: S<I, T>, ...rest: S<T, T>[]): S<I, T>;
// Repeated because the compiler reports the errors of the last overload. This one names the step that does not fit.
export function chain<T extends NineOrMore>(...steps: Checked<T>): OfSteps<T>;
export function chain(...steps: Signature[]): Signature {
  if (steps.length === 0) throw new TypeError('A chain has at least one step.');
  return sequence(steps);
}

/**
 * Runs signatures at the same time. The result is the list of their results, in the order of `members`; an empty group
 * succeeds with `[]`. In a chain, each member gets the result of the step before as its first argument, unless the
 * member is `immutable()`.
 *
 * Returns a signature and stores nothing.
 *
 * @param options.onFailure what a failed member does. Default: the whole workflow fails with `WorkflowFailedError`,
 * members that have not started do not run, and running members are aborted. `collect`: all members run, and the result
 * is a list with `{ ok: true, value }` or `{ ok: false, error }` for each member
 * @example
 * const handle = await group([maths.add.signature(1, 2), maths.add.signature(3, 4)]).enqueue();
 * await handle.result(); // [3, 7]
 */
export function group<const T extends readonly Signature[]>(members: T): Signature<InputOfAll<T>, Results<T>>;
export function group<const T extends readonly Signature[]>(
  members: T,
  options: { readonly onFailure: 'collect' },
): Signature<InputOfAll<T>, CollectedResults<T>>;
export function group(members: readonly Signature[], { onFailure }: { onFailure?: 'collect' } = {}): Signature {
  const plan: Plan = { group: members.map((member) => member.plan), ...(onFailure && { onFailure }) };
  const options = onFailure && { onFailure };
  const groupOf = (some: readonly Signature[]) => (options ? group(some, options) : group(some));
  return new Signature(plan, {
    starter: starterOf(members),
    place: placeOf(members),
    copy: {
      with: (given) => groupOf(members.map((member) => member.with(given))),
      immutable: () => groupOf(members.map((member) => member.immutable())),
    },
  });
}

/**
 * Runs the members of a group at the same time, and then a callback that gets the list of their results as its first
 * argument. The callback's result is the result of the chord. Does the same as `chain(group(members), callback)`.
 *
 * @param members the members, or a signature of `group()`
 * @example chord([maths.add.signature(1, 2), maths.add.signature(3, 4)], maths.sum.signature()).enqueue(); // 10
 */
export function chord<I, R, B>(members: Signature<I, R>, callback: Signature<R, B>): Signature<I, B>;
export function chord<const T extends readonly Signature[], B>(
  members: T,
  callback: Signature<Results<T>, B>,
): Signature<InputOfAll<T>, B>;
export function chord(members: Signature | readonly Signature[], callback: Signature): Signature {
  return sequence([members instanceof Signature ? members : group(members), callback], { chord: true });
}

function sequence(steps: readonly Signature[], kind: { readonly chord?: true } = {}): Signature {
  const [first, ...rest] = steps as [Signature, ...Signature[]];
  return new Signature(
    { chain: steps.map((step) => step.plan), ...kind },
    {
      starter: starterOf(steps),
      place: placeOf(steps),
      copy: {
        with: ({ delay, ...others }: EnqueueOptions) =>
          sequence(
            [
              first.with({ ...others, ...(delay !== undefined && { delay }) }),
              ...rest.map((step) => step.with(others)),
            ],
            kind,
          ),
        immutable: () => sequence([first.immutable(), ...rest], kind),
      },
    },
  );
}

function starterOf(signatures: readonly Signature[]) {
  return signatures.find(({ starter }) => starter)?.starter;
}

/** A workflow is stored as a whole, so a transaction of one of its parts is that of the workflow. */
function placeOf(signatures: readonly Signature[]) {
  return signatures.find(({ place }) => place)?.place;
}
