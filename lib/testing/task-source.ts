import type { Type } from '@nestjs/common';
import type { CallOf } from '../tasks/task-batch.js';
import type { TaskFunction } from '../tasks/task-contract.js';
import type { ArgumentsOf } from '../producers/signature-types.js';
import type { Tasks } from '../producers/tasks.js';

/** A class with tasks. It may be abstract. */
export type TaskClass<T> = Type<T> | (abstract new (...args: never[]) => T);

/** The names of the methods of a class that are tasks. */
export type TaskMethodOf<T> = keyof Tasks<T> & string;

/** The method of a class as callers call it; `never` where it is none. */
export type TaskFunctionOf<T, M> = M extends keyof T
  ? T[M] extends TaskFunction
    ? CallOf<T[M]> extends infer F extends TaskFunction
      ? F
      : never
    : never
  : never;

/** Stands for a value in an expectation: `expect.any(String)` of Jest and Vitest. */
export interface AsymmetricMatcher {
  asymmetricMatch(other: unknown): boolean;
  toString(): string;
}

/** The arguments that a test expects, each as the caller gives it, or a matcher. */
export type ExpectedArguments<F extends TaskFunction> =
  ArgumentsOf<F> extends infer A extends readonly unknown[] ? OrMatchers<A> : never;

type OrMatchers<A extends readonly unknown[]> = { readonly [I in keyof A]: A[I] | AsymmetricMatcher };
