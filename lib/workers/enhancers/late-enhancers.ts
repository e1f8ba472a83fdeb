import type { Type } from '@nestjs/common';
import {
  EXCEPTION_FILTERS_METADATA,
  GUARDS_METADATA,
  INTERCEPTORS_METADATA,
  PIPES_METADATA,
} from '@nestjs/common/constants.js';
import type { ContextId } from '@nestjs/core';
import { STATIC_CONTEXT } from '@nestjs/core/injector/constants.js';
import { Injector } from '@nestjs/core/injector/injector.js';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import type { Module } from '@nestjs/core/injector/module.js';
import { decoratedParameters } from './enhancer-reader.js';
import type { DeclaredMethod } from './task-method.js';

type EnhancerKind = Parameters<Module['addInjectable']>[1];

const KIND_OF_KEY: readonly (readonly [key: string, kind: EnhancerKind])[] = [
  [GUARDS_METADATA, 'guard'],
  [INTERCEPTORS_METADATA, 'interceptor'],
  [PIPES_METADATA, 'pipe'],
  [EXCEPTION_FILTERS_METADATA, 'filter'],
];

/**
 * Creates the enhancers of tasks that Nest did not create. At boot Nest creates the enhancers of the classes that it
 * creates itself, and silently leaves out a class for which it has no instance: of a provider from `useFactory` or
 * `useValue`, and of a method that a subclass overrides. A guard that does not run is worse than an application that
 * does not start.
 *
 * The enhancers are created in the module of the provider, with its dependencies, as Nest does.
 */
export class LateEnhancers {
  private readonly injector = new Injector();

  /**
   * Creates what is missing. An enhancer that is not request-scoped is ready then.
   *
   * @returns the enhancers that Nest does not load together with the provider
   * @throws the error of Nest when a dependency of an enhancer cannot be resolved
   */
  async create(provider: InstanceWrapper, method: DeclaredMethod): Promise<InstanceWrapper[]> {
    const { host } = provider;
    if (!host) return [];
    const known = new Set((provider.getEnhancersMetadata() ?? []).map(({ token }) => token));
    const missing = boundClasses(method).filter(([enhancer]) => !known.has(enhancer));
    const late = missing.map(([enhancer, kind]) => host.addInjectable(enhancer, kind) as InstanceWrapper);
    await this.load(late, provider, STATIC_CONTEXT);
    return late;
  }

  /** Loads the instances for a run. `EnhancerReader` finds them by the context id. */
  async load(late: readonly InstanceWrapper[], provider: InstanceWrapper, contextId: ContextId): Promise<void> {
    const { host } = provider;
    if (host) await Promise.all(late.map((each) => this.injector.loadInjectable(each, host, contextId, provider)));
  }
}

/** The classes of enhancers that decorators bound to a class, a method and its parameters, each once. */
function boundClasses({ type, name, declared }: DeclaredMethod): [Type, EnhancerKind][] {
  const bound = KIND_OF_KEY.flatMap(([key, kind]) =>
    [type, declared].flatMap((target) =>
      ((Reflect.getMetadata(key, target) ?? []) as unknown[]).map((enhancer) => [enhancer, kind] as const),
    ),
  );
  const ofParameters = decoratedParameters(type, name).flatMap(({ pipes }) =>
    pipes.map((pipe) => [pipe, 'pipe'] as const),
  );
  const classes = [...bound, ...ofParameters].filter(
    (entry): entry is [Type, EnhancerKind] => typeof entry[0] === 'function',
  );
  return [...new Map(classes)];
}
