import type { ForwardReference } from '@nestjs/common';
import type { TaskSource } from './tasks.js';

/** A source of producers that a decorator injects. */
export interface InjectedSource {
  readonly token: symbol;
  /** The source; `undefined` while the class behind a forward reference is not defined. */
  readonly resolve: () => TaskSource | undefined;
  /** Whether the source was given by `forwardRef()`. */
  readonly isForward: boolean;
}

/**
 * Every source that a decorator of the code injects. Like the metadata of decorators it belongs to the code and not to
 * one application: each application creates its own producers from it.
 */
const SOURCES = new Map<TaskSource | ForwardReference, InjectedSource>();

/** The applications that run, which provide also the sources that come later. */
const FOLLOWERS = new Set<(source: InjectedSource) => void>();

export function injectedSources(): Iterable<InjectedSource> {
  return SOURCES.values();
}

/**
 * Calls the listener for each source that a decorator injects from now on: the code of a module that is loaded later.
 *
 * @returns removes the listener
 */
export function followSources(listener: (source: InjectedSource) => void): () => void {
  FOLLOWERS.add(listener);
  return () => FOLLOWERS.delete(listener);
}

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
  const known = SOURCES.get(key);
  if (known) return known.token;
  SOURCES.set(key, source);
  for (const listener of FOLLOWERS) listener(source);
  return source.token;
}
