import type { TaskFunction } from '../tasks/task-contract.js';

/** What a method returns, once it is there. */
export type ResultOfTask<F extends TaskFunction> = Awaited<ReturnType<F>>;

type First<P extends readonly unknown[]> = P extends readonly [(infer A)?, ...infer _Rest] ? A : never;
type WithoutFirst<P extends readonly unknown[]> = P extends readonly [_?: infer _A, ...rest: infer Rest] ? Rest : never;

/** The arguments of a signature: all, or all but the first, which an earlier result will be. */
export type SignatureArguments<F extends TaskFunction> = Parameters<F> | WithoutFirst<Parameters<F>>;

/** What is missing when a method is given these arguments: nothing (`void`), its first, or either. */
export type MissingInput<F extends TaskFunction, A extends readonly unknown[]> =
  | (A extends Parameters<F> ? void : never)
  | (A extends WithoutFirst<Parameters<F>> ? First<Parameters<F>> : never);
