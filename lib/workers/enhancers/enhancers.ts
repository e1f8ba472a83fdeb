import type { CanActivate, ExceptionFilter, NestInterceptor, PipeTransform } from '@nestjs/common';
import type { ExceptionFilterMetadata } from '@nestjs/common/interfaces/exceptions/exception-filter-metadata.interface.js';
import type { ArgumentPipes } from './argument-pipes.js';

/** The enhancers of the whole application. */
export interface AppEnhancers {
  readonly guards: readonly CanActivate[];
  readonly interceptors: readonly NestInterceptor[];
  readonly pipes: readonly PipeTransform[];
  readonly filters: readonly ExceptionFilter[];
}

/**
 * All enhancers of one method: the enhancers of the application come first, then those of the class and of the method.
 */
export interface Enhancers {
  readonly guards: readonly CanActivate[];
  readonly interceptors: readonly NestInterceptor[];
  readonly pipes: ArgumentPipes;
  /**
   * In the opposite order, because only the first filter that matches an error gets it: the filter of the method first.
   */
  readonly filters: readonly ExceptionFilterMetadata[];
}

/** Whether the method has no enhancers at all. */
export function isBare({ guards, interceptors, pipes, filters }: Enhancers): boolean {
  return guards.length === 0 && interceptors.length === 0 && pipes.isEmpty && filters.length === 0;
}
