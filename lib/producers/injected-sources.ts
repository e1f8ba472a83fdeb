import type { ForwardReference } from '@nestjs/common';
import { DeclaredInCode } from '../declared-in-code.js';
import type { TaskSource } from './tasks.js';

/** A source of producers that a decorator injects. */
export interface InjectedSource {
  readonly token: symbol;
  /** The source; `undefined` while the class behind a forward reference is not defined. */
  readonly resolve: () => TaskSource | undefined;
  /** Whether the source was given by `forwardRef()`. */
  readonly isForward: boolean;
}

/** Every source that a decorator of the code injects. Each application creates its own producers from it. */
export const INJECTED_SOURCES = new DeclaredInCode<TaskSource | ForwardReference, InjectedSource>();

export function tokenOfSource(source: TaskSource): symbol {
  return add(source, { token: Symbol(`Tasks of ${source.name}`), resolve: () => source, isForward: false });
}

export function tokenOfForward(reference: ForwardReference): symbol {
  const { forwardRef } = reference as { forwardRef: () => TaskSource | undefined };
  const resolve = () => unlessUndefined(forwardRef);
  return add(reference, { token: Symbol(`Tasks of forwardRef(${String(forwardRef)})`), resolve, isForward: true });
}

/** In an ES module, a class that is not defined yet is an error and not `undefined`. */
function unlessUndefined(read: () => TaskSource | undefined): TaskSource | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof ReferenceError) return undefined;
    throw error;
  }
}

function add(key: TaskSource | ForwardReference, source: InjectedSource): symbol {
  return INJECTED_SOURCES.add(key, source).token;
}
