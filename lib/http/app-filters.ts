import type { ExecutionContext } from '@nestjs/common';
import { EXCEPTION_FILTERS_METADATA, FILTER_CATCH_EXCEPTIONS } from '@nestjs/common/constants.js';
import type { ApplicationConfig } from '@nestjs/core';
import { TaskQueueError } from '../errors.js';

/** Knows which errors of this package the app wants to handle itself. */
export class AppFilters {
  constructor(private readonly config: ApplicationConfig) {}

  /** Whether a filter bound to this handler, its controller or the app names the class of this error, or a parent of it. */
  catches(error: TaskQueueError, context: ExecutionContext): boolean {
    const filters: readonly unknown[] = [
      ...boundTo(context.getHandler()),
      ...boundTo(context.getClass()),
      ...this.config.getGlobalFilters(),
      ...this.config.getGlobalRequestFilters().map(({ metatype }) => metatype),
    ];
    return filters.some((filter) => caughtBy(filter).some((type) => isOurs(type) && error instanceof type));
  }
}

function boundTo(target: object): readonly unknown[] {
  return (Reflect.getMetadata(EXCEPTION_FILTERS_METADATA, target) as unknown[] | undefined) ?? [];
}

function caughtBy(filter: unknown): readonly unknown[] {
  const type: unknown = typeof filter === 'function' ? filter : (filter as object | null | undefined)?.constructor;
  if (typeof type !== 'function') return [];
  return (Reflect.getMetadata(FILTER_CATCH_EXCEPTIONS, type) as unknown[] | undefined) ?? [];
}

function isOurs(type: unknown): type is typeof TaskQueueError {
  return type === TaskQueueError || (typeof type === 'function' && type.prototype instanceof TaskQueueError);
}
