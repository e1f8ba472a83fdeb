import type { Observable } from 'rxjs';
import type { TaskFunction } from '../tasks/task-contract.js';
import type { HasNotJson, JsonInput, JsonOf } from './json-types.js';

/** The value that a method gives its worker: without the promise, and the last value of an observable. */
type ReturnedBy<F extends TaskFunction> = LastValue<Awaited<ReturnType<F>>>;
type LastValue<R> = R extends Observable<infer V> ? V : R;

/** The type of a task's result: the value that its method returns, as it comes out of JSON. */
export type ResultOfTask<F extends TaskFunction> = JsonOf<ReturnedBy<F>>;

/**
 * The arguments that a caller may give: the parameters of the method, or what becomes of them in JSON.
 *
 * Where `F` is a type parameter, the compiler cannot know whether JSON changes the parameters. It then compares with
 * the last branch alone, because `any` in place of `F` takes that branch. So a generic function can pass on
 * `Parameters<F>`.
 */
export type ArgumentsOf<F extends TaskFunction> =
  IsChanged<Parameters<F>> extends true ? JsonInput<Parameters<F>> : Parameters<F>;

/** The arguments of one of many calls. */
export type ArgumentList<F extends TaskFunction> =
  IsChanged<Parameters<F>> extends true ? Readonly<JsonInput<Parameters<F>>> : Readonly<Parameters<F>>;

type IsChanged<P extends readonly unknown[]> = [P] extends [JsonInput<P>]
  ? [JsonInput<P>] extends [P]
    ? false
    : true
  : true;

/**
 * Every producer whose task has a result that JSON can represent. For a type parameter `F`, see {@link ArgumentsOf}.
 */
export type HasJsonResult<F extends TaskFunction> =
  HasNotJson<ReturnedBy<F>> extends true ? ResultIsNotJson<ReturnedBy<F>> : unknown;

/** The compiler reports this type at a call of a task whose result contains a type that JSON cannot represent. */
export interface ResultIsNotJson<R> {
  readonly 'the result is not JSON': R;
}

type First<P extends readonly unknown[]> = P extends readonly [(infer A)?, ...infer _Rest] ? A : never;
type WithoutFirst<P extends readonly unknown[]> = P extends readonly [_?: infer _A, ...rest: infer Rest] ? Rest : never;

/** The arguments that a signature may have: all, or all but the first, which an earlier result then becomes. */
export type SignatureArguments<F extends TaskFunction> = ArgumentsOf<F> | WithoutFirst<ArgumentsOf<F>>;

/** What a signature with these arguments still lacks: nothing (`void`), the first argument, or either. */
export type MissingInput<F extends TaskFunction, A extends readonly unknown[]> =
  | (A extends ArgumentsOf<F> ? void : never)
  | (A extends WithoutFirst<ArgumentsOf<F>> ? First<ArgumentsOf<F>> : never);
