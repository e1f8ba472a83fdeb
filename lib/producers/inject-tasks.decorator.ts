import { Inject, type Type } from '@nestjs/common';
import type { TaskContract, TaskFunction } from '../tasks/task-contract.js';
import type { TaskSource } from './tasks.js';

/**
 * What was asked for by decorators, with the token it is injected by. Like the decorators' own metadata this belongs to
 * the code and not to an application; each application makes its own producers from it.
 */
const TOKENS = new Map<TaskSource, symbol>();

/**
 * Injects the producers of a class's tasks (`Tasks<T>`), or the producer of a contract's task (`TaskProducer<F>`).
 * Nothing needs to be registered for it, and the class itself need not be a provider of this process.
 */
export function InjectTasks<F extends TaskFunction>(
  source: Type | (abstract new (...args: never[]) => unknown) | TaskContract<F>,
): ParameterDecorator & PropertyDecorator {
  return Inject(tokenOf(source as TaskSource));
}

/** The token {@link InjectTasks} injects by, for `useFactory` providers and tests. */
export function getTasksToken(source: TaskSource): symbol {
  return tokenOf(source);
}

/** Everything asked for so far. */
export function injectedSources(): ReadonlyMap<TaskSource, symbol> {
  return TOKENS;
}

function tokenOf(source: TaskSource): symbol {
  let token = TOKENS.get(source);
  if (!token) {
    token = Symbol(`Tasks of ${source.name}`);
    TOKENS.set(source, token);
  }
  return token;
}
