import type { ExecutionContext } from '@nestjs/common';
import { EXCEPTION_FILTERS_METADATA, FILTER_CATCH_EXCEPTIONS } from '@nestjs/common/constants.js';
import type { ApplicationConfig } from '@nestjs/core';
import { TaskQueueError } from '../errors.js';

/** Finds out which errors of this package the application handles in its own exception filters. */
export class AppFilters {
  constructor(private readonly config: ApplicationConfig) {}

  /**
   * Whether a filter names the class of this error, or a parent class from this package. The filter may be bound to the
   * handler, to its controller or to the whole application. A filter for all errors names no class and does not count.
   */
  catches(error: TaskQueueError, context: ExecutionContext): boolean {
    const filters: readonly unknown[] = [
      ...filtersOf(context.getHandler()),
      ...filtersOf(context.getClass()),
      ...this.config.getGlobalFilters(),
      ...this.config.getGlobalRequestFilters().map(({ metatype }) => metatype),
    ];
    return filters.some((filter) =>
      caughtTypesOf(filter).some((type) => isTypeOfThisPackage(type) && error instanceof type),
    );
  }
}

function filtersOf(target: object): readonly unknown[] {
  return (Reflect.getMetadata(EXCEPTION_FILTERS_METADATA, target) as unknown[] | undefined) ?? [];
}

function caughtTypesOf(filter: unknown): readonly unknown[] {
  const type: unknown = typeof filter === 'function' ? filter : (filter as object | null | undefined)?.constructor;
  if (typeof type !== 'function') return [];
  return (Reflect.getMetadata(FILTER_CATCH_EXCEPTIONS, type) as unknown[] | undefined) ?? [];
}

function isTypeOfThisPackage(type: unknown): type is typeof TaskQueueError {
  return type === TaskQueueError || (typeof type === 'function' && type.prototype instanceof TaskQueueError);
}
