import type { TaskFunction } from '../tasks/task-contract.js';

/** The type of a task's result: the return type of its method, without the promise. */
export type ResultOfTask<F extends TaskFunction> = Awaited<ReturnType<F>>;

type First<P extends readonly unknown[]> = P extends readonly [(infer A)?, ...infer _Rest] ? A : never;
type WithoutFirst<P extends readonly unknown[]> = P extends readonly [_?: infer _A, ...rest: infer Rest] ? Rest : never;

/** The arguments that a signature may have: all, or all but the first, which an earlier result then becomes. */
export type SignatureArguments<F extends TaskFunction> = Parameters<F> | WithoutFirst<Parameters<F>>;

/** What a signature with these arguments still lacks: nothing (`void`), the first argument, or either. */
export type MissingInput<F extends TaskFunction, A extends readonly unknown[]> =
  | (A extends Parameters<F> ? void : never)
  | (A extends WithoutFirst<Parameters<F>> ? First<Parameters<F>> : never);
