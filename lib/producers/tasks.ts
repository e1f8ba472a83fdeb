import type { CallOf } from '../tasks/task-batch.js';
import type { TaskContract, TaskFunction } from '../tasks/task-contract.js';
import type { TaskProducer } from './task-producer.js';

/**
 * One {@link TaskProducer} for each method of a class, by the method's name. `@InjectTasks()` injects it,
 * `taskQueue.of()` returns it.
 *
 * The type cannot know which methods are decorated. Reading a method that is not a task throws `UnknownTaskError`.
 *
 * @typeParam T the class with the `@Task()` methods; it may be the class that the producers are injected into
 * @example constructor(@InjectTasks(ReportTasks) private readonly reports: Tasks<ReportTasks>) {}
 */
export type Tasks<T> = {
  readonly [K in keyof T as TaskName<T, K>]: T[K] extends TaskFunction ? TaskProducer<CallOf<T[K]>> : never;
};

/**
 * `K` if it is the name of a method. The compiler also asks for all names at once, only to learn whether the type is
 * generic. The answer to that question must not depend on the properties: in a class with a public property of type
 * `Tasks<Self>`, the compiler would ask it again and again (TS2589).
 */
type TaskName<T, K extends keyof T> = IsUnion<K> extends true ? K : T[K] extends TaskFunction ? K : never;

type IsUnion<K, All = K> = K extends unknown ? ([All] extends [K] ? false : true) : never;

/**
 * Makes `Tasks` a value too, so that `import { Tasks }` needs no `type`. With `isolatedModules` and
 * `emitDecoratorMetadata`, the compiler accepts the type of a decorated parameter only if its import is a value
 * (otherwise TS1272). The value is `Object`, which the compiler writes into the metadata for every type without a
 * class, so Nest sees the same metadata as with `import type`. It has no other use.
 */
export const Tasks: object = Object;

/**
 * The type of the producer of a contract's task. The type of a method gives the type of its producer too.
 *
 * @example
 * ```ts
 * @InjectTasks(charge) private readonly payments: ProducerOf<typeof charge>
 * @InjectTasks(ReportTasks) private readonly reports: { build: ProducerOf<ReportTasks['build']> }
 * ```
 */
export type ProducerOf<T extends TaskContract | TaskFunction> =
  T extends TaskContract<infer F> ? TaskProducer<F> : T extends TaskFunction ? TaskProducer<CallOf<T>> : never;

/** A source of producers: a class with tasks, which may be abstract, or a contract. */
export type TaskSource = (abstract new (...args: never[]) => unknown) | TaskContract;
