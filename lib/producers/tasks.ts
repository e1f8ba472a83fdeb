import type { Type } from '@nestjs/common';
import type { TaskContract, TaskFunction } from '../tasks/task-contract.js';
import type { TaskProducer } from './task-producer.js';

/**
 * One {@link TaskProducer} for each method of a class, by the method's name. `@InjectTasks()` injects it,
 * `taskQueue.of()` returns it.
 *
 * The type cannot know which methods are decorated. Reading a method that is not a task throws `UnknownTaskError`.
 *
 * @typeParam T the class with the `@Task()` methods
 * @example constructor(@InjectTasks(ReportTasks) private readonly reports: Tasks<ReportTasks>) {}
 */
export type Tasks<T> = {
  readonly [K in keyof T as T[K] extends TaskFunction ? K : never]: T[K] extends TaskFunction
    ? TaskProducer<T[K]>
    : never;
};

/** A source of producers: a class with tasks, or a contract. */
export type TaskSource = Type | TaskContract;
