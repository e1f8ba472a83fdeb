import type { Provider } from '@nestjs/common';
import { PROPERTY_DEPS_METADATA, SELF_DECLARED_DEPS_METADATA } from '@nestjs/common/constants.js';
import { ModulesContainer } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { ConfigurationError } from './errors.js';
import { INJECTED_SOURCES, tokenOfSource, type InjectedSource } from './producers/injected-sources.js';
import { TaskQueue } from './producers/task-queue.js';
import type { TaskSource } from './producers/tasks.js';

/** A source of producers, and the class that injects it. */
export interface InjectedProducers {
  readonly source: TaskSource;
  readonly by: string;
}

/** A provider of the producers that a class of the application injects with `@InjectTasks()`. */
export function producersOf({ token, resolve, isForward }: InjectedSource): Provider {
  const source = isForward ? resolve() : undefined;
  // A test that overrides the token of a class means all its producers.
  if (source !== undefined) return { provide: token, useExisting: tokenOfSource(source) };
  return {
    provide: token,
    inject: [TaskQueue, ModulesContainer],
    useFactory: (taskQueue: TaskQueue, modules: ModulesContainer) => {
      try {
        return taskQueue.of(definedSource(resolve)) as unknown;
      } catch (error) {
        // The code of the process may have a mistake that does not concern this application, as in a file of tests.
        if (injectorsIn(modules).has(token)) throw error;
        return undefined;
      }
    },
  };
}

/** @throws ConfigurationError when the class behind a forward reference is not defined after all files were loaded */
function definedSource(resolve: InjectedSource['resolve']): never {
  const source = resolve();
  if (source !== undefined) return source as never;
  throw new ConfigurationError(
    '@InjectTasks(forwardRef(…)) refers to a class that is not defined. Check that its file is loaded without an error and exports it.',
  );
}

/** The sources that classes of this application inject, each once. The code of the process may inject further ones. */
export function producersInjectedIn(modules: ModulesContainer): InjectedProducers[] {
  const injectors = injectorsIn(modules);
  const found = new Map<TaskSource, InjectedProducers>();
  for (const { token, resolve } of INJECTED_SOURCES) {
    const source = resolve();
    const by = injectors.get(token);
    if (source !== undefined && by !== undefined) found.set(source, { source, by });
  }
  return [...found.values()];
}

/** The names of the classes and factories of this application, by the tokens that they inject. */
export function injectorsIn(modules: ModulesContainer): ReadonlyMap<unknown, string> {
  const injectors = new Map<unknown, string>();
  for (const { providers, controllers, injectables } of modules.values()) {
    for (const wrapper of [...providers.values(), ...controllers.values(), ...injectables.values()]) {
      for (const token of dependenciesOf(wrapper)) injectors.set(token, String(wrapper.name));
    }
  }
  return injectors;
}

/** The tokens that a class or a factory names explicitly, as `@InjectTasks()` does. */
function dependenciesOf({ metatype, inject, isAlias }: InstanceWrapper): unknown[] {
  if (isAlias || !metatype) return [];
  if (inject) return inject.map(tokenOfDependency);
  const parameters = (Reflect.getMetadata(SELF_DECLARED_DEPS_METADATA, metatype) ?? []) as { param: unknown }[];
  const properties = (Reflect.getMetadata(PROPERTY_DEPS_METADATA, metatype) ?? []) as { type: unknown }[];
  return [...parameters.map(({ param }) => param), ...properties.map(({ type }) => type)];
}

/** @param dependency a token, or `{ token, optional: true }`, which the type of Nest does not name */
function tokenOfDependency(dependency: unknown): unknown {
  return typeof dependency === 'object' && dependency !== null && 'token' in dependency ? dependency.token : dependency;
}
