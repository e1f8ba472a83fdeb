import type { Type } from '@nestjs/common';
import { ApplicationConfig, ModuleRef, type ContextId } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { NO_APP_ENHANCERS, type AppEnhancers } from './enhancers.js';

export interface AppEnhancerOptions {
  /** Whether those of the application stand around tasks at all. */
  readonly global: boolean;
  /** Classes that have nothing to do with tasks. */
  readonly except?: readonly Type[];
}

/** What `APP_GUARD` and the like and `app.useGlobalGuards()` and the like stand for. */
export class AppEnhancerReader {
  constructor(
    private readonly config: ApplicationConfig,
    private readonly options: AppEnhancerOptions,
  ) {}

  /** Whether some are made anew for each run: their class is request-scoped or transient. */
  get areScoped(): boolean {
    return this.options.global && Object.values(this.scoped()).some((wrappers) => wrappers.length > 0);
  }

  /** Those that live as long as the application. */
  static(): AppEnhancers {
    if (!this.options.global) return NO_APP_ENHANCERS;
    return {
      guards: this.ofTasks(this.config.getGlobalGuards()),
      interceptors: this.ofTasks(this.config.getGlobalInterceptors()),
      pipes: this.ofTasks(this.config.getGlobalPipes()),
      filters: this.ofTasks(this.config.getGlobalFilters()),
    };
  }

  /** Those, and the ones made for this run. */
  async forRun(contextId: ContextId): Promise<AppEnhancers> {
    const known = this.static();
    if (!this.areScoped) return known;
    const scoped = this.scoped();
    const [guards, interceptors, pipes, filters] = await Promise.all([
      resolveAll(scoped.guards, contextId),
      resolveAll(scoped.interceptors, contextId),
      resolveAll(scoped.pipes, contextId),
      resolveAll(scoped.filters, contextId),
    ]);
    return {
      guards: [...known.guards, ...guards],
      interceptors: [...known.interceptors, ...interceptors],
      pipes: [...known.pipes, ...pipes],
      filters: [...known.filters, ...filters],
    };
  }

  private scoped() {
    return {
      guards: this.config.getGlobalRequestGuards(),
      interceptors: this.config.getGlobalRequestInterceptors(),
      pipes: this.config.getGlobalRequestPipes(),
      filters: this.config.getGlobalRequestFilters(),
    };
  }

  private ofTasks<T>(enhancers: readonly T[]): T[] {
    return enhancers.filter((enhancer) => !this.options.except?.some((type) => enhancer instanceof type));
  }
}

async function resolveAll<T>(wrappers: readonly InstanceWrapper<T>[], contextId: ContextId): Promise<T[]> {
  return Promise.all(wrappers.map((wrapper) => resolveWrapped(wrapper, contextId)));
}

/** The provider's instance for a context; asked for in its own module, for another may have one of that token, too. */
export function resolveWrapped<T>({ host, token }: InstanceWrapper<T>, contextId: ContextId): Promise<T> {
  const moduleRef = host?.getProviderByKey<ModuleRef>(ModuleRef).instance;
  if (!moduleRef) throw new Error(`Nest has no module for the provider ${String(token)}.`);
  return moduleRef.resolve<T>(token as Type<T>, contextId);
}
