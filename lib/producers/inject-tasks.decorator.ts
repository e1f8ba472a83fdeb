import { Inject, type Type } from '@nestjs/common';
import type { TaskContract, TaskFunction } from '../tasks/task-contract.js';
import type { TaskSource } from './tasks.js';

/**
 * Every source that a decorator of the code injects, with its token. Like the metadata of decorators it belongs to the
 * code and not to one application: each application creates its own producers from it.
 */
const TOKENS = new Map<TaskSource, symbol>();

/**
 * Injects producers: for a class, one producer for each of its tasks (`Tasks<T>`); for a contract of `defineTask()`,
 * the producer of its task (`TaskProducer<F>`). Nothing has to be registered, and the class does not have to be a
 * provider of this process: a process that only enqueues imports the class, and another process runs its tasks.
 *
 * The application needs `TaskQueueModule.forRoot()`.
 *
 * @param source a class with `@Task()` methods, or a contract
 * @example
 * ```ts
 * constructor(
 *   @InjectTasks(ReportTasks) private readonly reports: Tasks<ReportTasks>,
 *   @InjectTasks(charge) private readonly charge: TaskProducer<(orderId: string, cents: number) => Promise<Receipt>>,
 * ) {}
 *
 * const handle = await this.reports.build.enqueue('2026-11');
 * ```
 */
export function InjectTasks<F extends TaskFunction>(
  source: Type | (abstract new (...args: never[]) => unknown) | TaskContract<F>,
): ParameterDecorator & PropertyDecorator {
  return Inject(tokenOf(source as TaskSource));
}

/**
 * The token by which {@link InjectTasks} injects. `useFactory` providers inject with it, and tests replace the
 * producers of a source with it.
 *
 * @example
 * {
 *   provide: Reporter,
 *   inject: [getTasksToken(ReportTasks)],
 *   useFactory: (reports: Tasks<ReportTasks>) => new Reporter(reports),
 * }
 */
export function getTasksToken(source: TaskSource): symbol {
  return tokenOf(source);
}

/** Every source that was injected so far, with its token. */
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
