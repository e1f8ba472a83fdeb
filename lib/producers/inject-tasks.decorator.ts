import { Inject, type ForwardReference } from '@nestjs/common';
import { ConfigurationError } from '../errors.js';
import { tokenOfForward, tokenOfSource } from './injected-sources.js';
import type { TaskContract } from '../tasks/task-contract.js';
import type { TaskProducer } from './task-producer.js';
import type { Tasks, TaskSource } from './tasks.js';

/** The type that {@link InjectTasks} injects for a source; `any` for a source whose type is only `Type`. */
type InjectedBy<S> = S extends ForwardReference
  ? // eslint-disable-next-line typescript/no-explicit-any -- `forwardRef()` has no type of what it refers to
    any
  : S extends abstract new (...args: never[]) => infer T
    ? unknown extends T
      ? // eslint-disable-next-line typescript/no-explicit-any -- the tasks are not known, so nothing is checked
        any
      : Tasks<T>
    : S extends TaskContract<infer F>
      ? TaskProducer<F>
      : never;

/**
 * A decorator of a constructor parameter or a property whose declared type accepts `Injected`. The compiler calls a
 * parameter's decorator with the class and the index, and a property's decorator with the object and the name.
 */
type InjectDecorator<Injected> = <T extends object, K extends PropertyKey | undefined, I extends number = never>(
  target: T,
  key: Fits<Injected, DeclaredProperty<T, K>, K>,
  index?: Fits<Injected, DeclaredParameter<T, K, I>, I>,
) => void;

/** The declared type of a property. `unknown`, which accepts everything, for a private or protected property. */
type DeclaredProperty<T, K> = K extends keyof T ? T[K] : unknown;

/** The declared type of a constructor parameter. `unknown` where it is not known, as for a private constructor. */
type DeclaredParameter<T, K, I extends number> = K extends PropertyKey
  ? unknown
  : T extends abstract new (...args: infer P) => unknown
    ? `${I}` extends keyof P
      ? P[I]
      : unknown
    : unknown;

type Fits<Injected, Declared, Key> = [Injected] extends [Declared]
  ? Key
  : InjectedTypeDiffers<{ injected: Injected; declared: Declared }>;

/** The compiler reports this type at a parameter or property whose declared type does not accept the producers. */
interface InjectedTypeDiffers<Types> {
  readonly 'the injected type differs': Types;
}

/**
 * Injects producers: for a class, one producer for each of its tasks (`Tasks<T>`); for a contract of `defineTask()`,
 * the producer of its task (`ProducerOf<typeof contract>`). Nothing has to be registered, and the class does not have
 * to be a provider of this process: a process that only enqueues imports the class, and another process runs its tasks.
 *
 * The application needs `TaskQueueModule.forRoot()`.
 *
 * A parameter or property whose declared type does not accept the producers does not compile. The compiler cannot check
 * private and protected properties; it does check private and protected parameters.
 *
 * @param source a class with `@Task()` methods, or a contract; `forwardRef(() => ReportTasks)` for a class whose file
 * imports this one
 * @throws ConfigurationError when the source is `undefined`, because two files import each other
 * @example
 * ```ts
 * constructor(
 *   @InjectTasks(ReportTasks) private readonly reports: Tasks<ReportTasks>,
 *   @InjectTasks(charge) private readonly payments: ProducerOf<typeof charge>,
 * ) {}
 *
 * const handle = await this.reports.build.enqueue('2026-11');
 * ```
 */
export function InjectTasks<S extends TaskSource | ForwardReference>(source: S): InjectDecorator<InjectedBy<S>> {
  if (source === undefined) {
    throw new ConfigurationError(
      '@InjectTasks() got undefined instead of a class, because two files import each other. Write @InjectTasks(forwardRef(() => ReportTasks)).',
    );
  }
  const token = 'forwardRef' in source ? tokenOfForward(source) : tokenOfSource(source);
  return Inject(token) as InjectDecorator<InjectedBy<S>>;
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
  return tokenOfSource(source);
}
