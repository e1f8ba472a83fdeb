import type { Type } from '@nestjs/common';
import { ApplicationConfig, ModuleRef, type ContextId } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import type { AppEnhancers } from './enhancers.js';

export interface AppEnhancerOptions {
  /** Which kinds of the application's enhancers run around tasks. */
  readonly global: Readonly<Record<keyof AppEnhancers, boolean>>;
  /** Classes whose instances do not run around tasks. */
  readonly except?: readonly Type[];
}

/**
 * Reads the enhancers of the application: those of `APP_GUARD` and its like, and of `useGlobalGuards()` and its like.
 */
export class AppEnhancerReader {
  constructor(
    private readonly config: ApplicationConfig,
    private readonly options: AppEnhancerOptions,
  ) {}

  /** Whether Nest creates some of them for each run, because their class is request-scoped or transient. */
  get areScoped(): boolean {
    return Object.values(this.scoped()).some((wrappers) => wrappers.length > 0);
  }

  /** The enhancers that live as long as the application. */
  static(): AppEnhancers {
    const { config } = this;
    return {
      guards: this.wanted('guards', config.getGlobalGuards()),
      interceptors: this.wanted('interceptors', config.getGlobalInterceptors()),
      pipes: this.wanted('pipes', config.getGlobalPipes()),
      filters: this.wanted('filters', config.getGlobalFilters()),
    };
  }

  /** The enhancers that live as long as the application, and those that Nest creates for this run. */
  async forRun(contextId: ContextId): Promise<AppEnhancers> {
    const shared = this.static();
    if (!this.areScoped) return shared;
    const scoped = this.scoped();
    const [guards, interceptors, pipes, filters] = await Promise.all([
      resolveAll(scoped.guards, contextId),
      resolveAll(scoped.interceptors, contextId),
      resolveAll(scoped.pipes, contextId),
      resolveAll(scoped.filters, contextId),
    ]);
    return {
      guards: [...shared.guards, ...guards],
      interceptors: [...shared.interceptors, ...interceptors],
      pipes: [...shared.pipes, ...pipes],
      filters: [...shared.filters, ...filters],
    };
  }

  private scoped() {
    const { config } = this;
    return {
      guards: this.wanted('guards', config.getGlobalRequestGuards()),
      interceptors: this.wanted('interceptors', config.getGlobalRequestInterceptors()),
      pipes: this.wanted('pipes', config.getGlobalRequestPipes()),
      filters: this.wanted('filters', config.getGlobalRequestFilters()),
    };
  }

  private wanted<T>(kind: keyof AppEnhancers, enhancers: readonly T[]): T[] {
    const { global, except = [] } = this.options;
    return global[kind] ? enhancers.filter((enhancer) => !except.some((type) => enhancer instanceof type)) : [];
  }
}

async function resolveAll<T>(wrappers: readonly InstanceWrapper<T>[], contextId: ContextId): Promise<T[]> {
  return Promise.all(wrappers.map((wrapper) => resolveWrapped(wrapper, contextId)));
}

/**
 * The provider's instance for a context id. It is resolved in the provider's own module, because another module may
 * have a provider with the same token.
 */
export function resolveWrapped<T>({ host, token }: InstanceWrapper<T>, contextId: ContextId): Promise<T> {
  const moduleRef = host?.getProviderByKey<ModuleRef>(ModuleRef).instance;
  if (!moduleRef) throw new Error(`Nest has no module for the provider ${String(token)}.`);
  return moduleRef.resolve<T>(token as Type<T>, contextId);
}
