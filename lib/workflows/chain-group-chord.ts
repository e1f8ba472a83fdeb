import type { EnqueueOptions } from '../tasks/task-options.js';
import { type Plan } from './plan.js';
import { Signature } from './signature.js';

/** What a signature gives. */
export type ResultOf<T> = T extends Signature<infer _Input, infer Result> ? Result : never;

/** What all of some signatures can take. */
type InputOfAll<T extends readonly Signature[]> = T extends readonly []
  ? unknown
  : T[number] extends Signature<infer Input, infer _Result>
    ? Input
    : never;

type Results<T extends readonly Signature[]> = { -readonly [K in keyof T]: ResultOf<T[K]> };

/** A member's result in a group with `onFailure: 'collect'`. */
export type Collected<R> =
  | { readonly ok: true; readonly value: R }
  | { readonly ok: false; readonly error: { readonly name: string; readonly message: string; readonly code?: string } };

type CollectedResults<T extends readonly Signature[]> = { -readonly [K in keyof T]: Collected<ResultOf<T[K]>> };

type S<I, R> = Signature<I, R>;

/**
 * One after the other: each result becomes the first argument of the next. The result is that of the last.
 *
 * @example chain(maths.add.signature(1, 2), maths.double.signature()).enqueue()
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
/** Any number of steps that give what they take. */
export function chain<I, T>(first: S<I, T>, ...rest: S<T, T>[]): S<I, T>;
export function chain(...steps: Signature[]): Signature {
  if (steps.length === 0) throw new TypeError('A chain has at least one step.');
  return sequence(steps);
}

/**
 * All at once. The result is the list of results, in order; an empty group succeeds with `[]`.
 *
 * @param options.onFailure a member that fails makes the whole fail with `WorkflowFailedError`, and what has not started
 * does not run (default); or, with `collect`, is `{ ok: false, error }` in a list of `{ ok, value | error }`
 */
export function group<const T extends readonly Signature[]>(members: T): Signature<InputOfAll<T>, Results<T>>;
export function group<const T extends readonly Signature[]>(
  members: T,
  options: { readonly onFailure: 'collect' },
): Signature<InputOfAll<T>, CollectedResults<T>>;
export function group(members: readonly Signature[], { onFailure }: { onFailure?: 'collect' } = {}): Signature {
  const plan: Plan = { group: members.map((member) => member.plan), ...(onFailure && { onFailure }) };
  const options = onFailure && { onFailure };
  const again = (some: readonly Signature[]) => (options ? group(some, options) : group(some));
  return new Signature(plan, {
    starter: starterOf(members),
    rework: {
      with: (given) => again(members.map((member) => member.with(given))),
      immutable: () => again(members.map((member) => member.immutable())),
    },
  });
}

/** A group, and a callback that gets the list of its results. */
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
      rework: {
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
