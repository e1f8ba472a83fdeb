import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import { EXCEPTION_FILTERS_METADATA, PARAMTYPES_METADATA, ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import type { ExceptionFilterMetadata } from '@nestjs/common/interfaces/exceptions/exception-filter-metadata.interface.js';
import type { ContextId, ModulesContainer, NestContainer } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { BaseExceptionFilterContext } from '@nestjs/core/exceptions/base-exception-filter-context.js';
import { GuardsContextCreator } from '@nestjs/core/guards/guards-context-creator.js';
import { STATIC_CONTEXT } from '@nestjs/core/injector/constants.js';
import { InterceptorsContextCreator } from '@nestjs/core/interceptors/interceptors-context-creator.js';
import { PipesContextCreator } from '@nestjs/core/pipes/pipes-context-creator.js';
import { ArgumentPipes, type Parameter } from './argument-pipes.js';
import type { AppEnhancers, Enhancers } from './enhancers.js';
import type { DeclaredMethod, TaskMethod } from './task-method.js';
import { PackageLogger } from '../../package-logger.js';

/**
 * The origin of a method's enhancers: the provider of the method, and the context id of a run or of the application.
 */
export interface EnhancerSource {
  readonly provider: InstanceWrapper;
  /** Default: the context id of the application. */
  readonly contextId?: ContextId | undefined;
}

/** The metadata that Nest's decorators and `@TaskArg()` store for one parameter. */
interface ParameterMetadata {
  readonly index: number;
  readonly pipes: unknown[];
  readonly schema?: ArgumentMetadata['schema'];
}

/**
 * Reads the enhancers that decorators bound to a method, its class and its parameters.
 *
 * It uses the parts of Nest that read the enhancers of routes. Nest's `ExternalContextCreator` puts these parts
 * together, but does not fit tasks, because it
 *
 * - makes the return value of a filter the result,
 * - logs errors that the worker logs too,
 * - always includes the global enhancers,
 * - calls the method as it was when the application started.
 */
export class EnhancerReader {
  private readonly logger = new PackageLogger();
  private readonly guards: GuardsContextCreator;
  private readonly interceptors: InterceptorsContextCreator;
  private readonly pipes: PipesContextCreator;
  private readonly filters: FilterReader;

  constructor(modules: ModulesContainer) {
    // The creators call no other method of a container. Without an ApplicationConfig they add no global enhancers.
    const container = { getModules: () => modules } as NestContainer;
    this.guards = new GuardsContextCreator(container);
    this.interceptors = new InterceptorsContextCreator(container);
    this.pipes = new PipesContextCreator(container);
    this.filters = new FilterReader(container);
  }

  /** The enhancers of the application, and those that are bound to the method. */
  read(method: TaskMethod, app: AppEnhancers, { provider, contextId = STATIC_CONTEXT }: EnhancerSource): Enhancers {
    const origin = [method.host, method.declared, provider.host?.token ?? '', contextId, provider.id] as const;
    return {
      guards: [...app.guards, ...this.guards.create(...origin)],
      interceptors: [...app.interceptors, ...this.interceptors.create(...origin)],
      pipes: new ArgumentPipes(
        [...app.pipes, ...this.pipes.create(...origin)],
        this.parametersOf(method, contextId, provider.id),
        method.declared.length < declaredTypes(method).length,
      ),
      filters: [...this.filters.describe(app.filters), ...this.filters.read(...origin)].toReversed(),
    };
  }

  /** Logs a warning when the compiler left no declared types: a `ValidationPipe` without them accepts every value. */
  warnOfMissingTypes({ pipes }: Enhancers, method: DeclaredMethod, task: string): void {
    if (!pipes.validateNothing || !lacksTypes(method)) return;
    this.logger.warn(
      `A ValidationPipe is bound to the task ${task}, but its arguments have no declared types to validate against. ` +
        'Compile with "emitDecoratorMetadata" (tsc or swc; tsx and esbuild cannot), or give the task a schema.',
    );
  }

  private parametersOf(method: TaskMethod, contextId: ContextId, inquirer: string): Parameter[] {
    const types = declaredTypes(method);
    const decorated = decoratedParameters(method.type, method.name);
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

/** Reads filters. Nest exports the class for this without the few lines that choose the module and the metadata key. */
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

/**
 * The metadata of decorated parameters. Their pipes count for a task, whatever the decorator. The source of the value,
 * for example the body of a request, matters to routes only.
 */
export function decoratedParameters(type: Function, method: string): ParameterMetadata[] {
  return Object.values(
    (Reflect.getMetadata(ROUTE_ARGS_METADATA, type, method) ?? {}) as Record<string, ParameterMetadata>,
  );
}

function declaredTypes({ host, name }: TaskMethod): NonNullable<ArgumentMetadata['metatype']>[] {
  return (Reflect.getMetadata(PARAMTYPES_METADATA, host, name) ?? []) as NonNullable<ArgumentMetadata['metatype']>[];
}

/** Whether the method takes arguments of which the compiler left no types. It leaves an empty list when there are none. */
function lacksTypes({ type, name, declared }: DeclaredMethod): boolean {
  const types = Reflect.getMetadata(PARAMTYPES_METADATA, type.prototype as object, name) as unknown[] | undefined;
  return types ? types.length > 0 : declared.length > 0 || !/^[^(]*\(\s*\)/.test(String(declared));
}
