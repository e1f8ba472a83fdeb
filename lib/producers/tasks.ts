import type { Type } from '@nestjs/common';
import type { TaskContract, TaskFunction } from '../tasks/task-contract.js';
import type { TaskProducer } from './task-producer.js';

/**
 * One producer for each task method of a class, by the method's name.
 *
 * @example constructor(@InjectTasks(ReportTasks) private readonly reports: Tasks<ReportTasks>) {}
 */
export type Tasks<T> = {
  readonly [K in keyof T as T[K] extends TaskFunction ? K : never]: T[K] extends TaskFunction
    ? TaskProducer<T[K]>
    : never;
};

/** What can be asked for producers: a class with tasks, a contract, or the name of a task. */
export type TaskSource = Type | TaskContract;
