import type { CanActivate, ExceptionFilter, NestInterceptor, PipeTransform } from '@nestjs/common';
import type { ExceptionFilterMetadata } from '@nestjs/common/internal';
import type { ArgumentPipes } from './argument-pipes.js';

/** Those of the whole application. */
export interface AppEnhancers {
  readonly guards: readonly CanActivate[];
  readonly interceptors: readonly NestInterceptor[];
  readonly pipes: readonly PipeTransform[];
  readonly filters: readonly ExceptionFilter[];
}

/** All that stand around one method. Global ones come first, then those of the class, then those of the method. */
export interface Enhancers {
  readonly guards: readonly CanActivate[];
  readonly interceptors: readonly NestInterceptor[];
  readonly pipes: ArgumentPipes;
  /** The other way round: the first that catches an error is the one that gets it. */
  readonly filters: readonly ExceptionFilterMetadata[];
}

export const NO_APP_ENHANCERS: AppEnhancers = { guards: [], interceptors: [], pipes: [], filters: [] };

export function isBare({ guards, interceptors, pipes, filters }: Enhancers): boolean {
  return guards.length === 0 && interceptors.length === 0 && pipes.isEmpty && filters.length === 0;
}
