import { Logger, type ArgumentMetadata, type PipeTransform } from '@nestjs/common';
import { EXCEPTION_FILTERS_METADATA, PARAMTYPES_METADATA, ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import type { ExceptionFilterMetadata } from '@nestjs/common/internal';
import type { ContextId, ModulesContainer, NestContainer } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import {
  BaseExceptionFilterContext,
  GuardsContextCreator,
  InterceptorsContextCreator,
  PipesContextCreator,
  STATIC_CONTEXT,
} from '@nestjs/core/internal';
import { ArgumentPipes, type Parameter } from './argument-pipes.js';
import type { AppEnhancers, Enhancers } from './enhancers.js';
import type { TaskMethod } from './task-method.js';

/** Where an enhancer of a method comes from: the method's provider, and the context of one run or of the application. */
export interface EnhancerSource {
  readonly provider: InstanceWrapper;
  /** Default: the application's own. */
  readonly contextId?: ContextId | undefined;
}

/** What Nest and `@TaskArg()` store for one decorated parameter. */
interface ParameterMetadata {
  readonly index: number;
  readonly pipes: unknown[];
  readonly schema?: ArgumentMetadata['schema'];
}

/**
 * Reads what decorators bound to a method, its class and its parameters.
 *
 * With the parts of Nest that read the enhancers of routes, rather than with `ExternalContextCreator`, which puts them
 * together: that one makes a filter's return value the result, logs errors that the worker logs, always takes the global
 * enhancers along, and calls the method as it was when the application started.
 */
export class EnhancerReader {
  private readonly logger = new Logger('TaskQueue');
  private readonly guards: GuardsContextCreator;
  private readonly interceptors: InterceptorsContextCreator;
  private readonly pipes: PipesContextCreator;
  private readonly filters: FilterReader;

  constructor(modules: ModulesContainer) {
    // All that these ask a container for. Without an ApplicationConfig they leave the global enhancers to us.
    const container = { getModules: () => modules } as NestContainer;
    this.guards = new GuardsContextCreator(container);
    this.interceptors = new InterceptorsContextCreator(container);
    this.pipes = new PipesContextCreator(container);
    this.filters = new FilterReader(container);
  }

  /** The enhancers of the application and those bound to the method. */
  read(method: TaskMethod, app: AppEnhancers, { provider, contextId = STATIC_CONTEXT }: EnhancerSource): Enhancers {
    const where = [method.instance, method.declared, provider.host?.token ?? '', contextId, provider.id] as const;
    return {
      guards: [...app.guards, ...this.guards.create(...where)],
      interceptors: [...app.interceptors, ...this.interceptors.create(...where)],
      pipes: new ArgumentPipes(
        [...app.pipes, ...this.pipes.create(...where)],
        this.parametersOf(method, contextId, provider.id),
        method.declared.length < declaredTypes(method).length,
      ),
      filters: [...this.filters.describe(app.filters), ...this.filters.read(...where)].toReversed(),
    };
  }

  /** Says so when the compiler left no declared types: without them a `ValidationPipe` has nothing to validate against. */
  warnOfMissingTypes({ pipes }: Enhancers, task: string): void {
    if (!pipes.validateNothing) return;
    this.logger.warn(
      `A ValidationPipe is bound to the task ${task}, but its arguments have no declared types to validate against. ` +
        'Compile with "emitDecoratorMetadata" (tsc or swc; tsx and esbuild cannot), or give the task a schema.',
    );
  }

  private parametersOf(method: TaskMethod, contextId: ContextId, inquirer: string): Parameter[] {
    const types = declaredTypes(method);
    const decorated = decoratedParameters(method.instance.constructor, method.name);
    const length = Math.max(types.length, ...decorated.map(({ index }) => index + 1));
    return Array.from({ length }, (_, index) => {
      const own = decorated.filter((parameter) => parameter.index === index);
      return {
        metatype: types[index],
        pipes: own.flatMap(({ pipes }) =>
          this.pipes.createConcreteContext<unknown[], PipeTransform[]>(pipes, contextId, inquirer),
        ),
        schema: own.find(({ schema }) => schema)?.schema,
      };
    });
  }
}

/** Nest exports the part that reads filters without the few lines that say which. */
class FilterReader extends BaseExceptionFilterContext {
  read(
    ...[instance, callback, moduleKey, contextId, inquirer]: Parameters<GuardsContextCreator['create']>
  ): ExceptionFilterMetadata[] {
    this.moduleContext = moduleKey;
    return this.createContext(instance, callback, EXCEPTION_FILTERS_METADATA, contextId, inquirer);
  }

  describe(filters: AppEnhancers['filters']): ExceptionFilterMetadata[] {
    return this.createConcreteContext<unknown[], ExceptionFilterMetadata[]>([...filters]);
  }
}

/** The pipes of parameters, whatever decorator has them: where a decorator takes a value from concerns HTTP alone. */
export function decoratedParameters(type: Function, method: string): ParameterMetadata[] {
  return Object.values(
    (Reflect.getMetadata(ROUTE_ARGS_METADATA, type, method) ?? {}) as Record<string, ParameterMetadata>,
  );
}

function declaredTypes({ instance, name }: TaskMethod): NonNullable<ArgumentMetadata['metatype']>[] {
  return (Reflect.getMetadata(PARAMTYPES_METADATA, instance, name) ?? []) as NonNullable<
    ArgumentMetadata['metatype']
  >[];
}
