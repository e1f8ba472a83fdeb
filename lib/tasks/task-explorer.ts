import { Injectable, type Type } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { ConfigurationError } from '../errors.js';
import { providedClasses, type ProvidedClass } from './provided-classes.js';
import { definitionsOf, type TaskDefinition } from './task-definition.js';
import type { TaskOptions } from './task-options.js';

/** A declared task and the provider that runs it. */
export interface FoundTask {
  readonly definition: TaskDefinition;
  readonly provider: InstanceWrapper;
  readonly method: string;
  /** The class that declares the task, as producers name it. */
  readonly target: Type;
  /** The class of the instance when it is `target` or a subclass of it, otherwise `target`. */
  readonly type: Type;
}

/** A class of a provider or a controller, with the definitions of the tasks that the provider runs, by method. */
export interface FoundClass extends ProvidedClass {
  readonly definitions: ReadonlyMap<string, TaskDefinition>;
}

/** Finds the tasks in an application's providers and controllers. */
@Injectable()
export class TaskExplorer {
  constructor(private readonly discovery: DiscoveryService) {}

  /** The tasks of all classes. @throws ConfigurationError when an option of a task is wrong */
  explore(defaults: TaskOptions): FoundTask[] {
    return this.classes(defaults).flatMap(({ provider, target, type, definitions }) =>
      Array.from(definitions, ([method, definition]) => ({
        definition: { ...definition, origin: `${definition.origin} in ${provider.host?.name ?? 'a module'}` },
        ...{ provider, method, target, type },
      })),
    );
  }

  /** Every class of a provider or controller. @throws ConfigurationError when an option of a task is wrong */
  classes(defaults: TaskOptions): FoundClass[] {
    const taken = new Map<InstanceWrapper, Set<string>>();
    return providedClasses(this.discovery).map((found) => {
      const names = taken.get(found.provider) ?? new Set();
      taken.set(found.provider, names);
      const definitions = otherThan(names, definitionsOfClass(found, defaults, names.size > 0));
      for (const { name, aliases } of definitions.values()) for (const each of [name, ...aliases]) names.add(each);
      return { ...found, definitions };
    });
  }
}

/**
 * @param isNamed whether the provider already has tasks under the names of its token. A class behind a token may be
 * anonymous, and then no producer can ask for it
 */
function definitionsOfClass(
  { target, isBehindToken }: ProvidedClass,
  defaults: TaskOptions,
  isNamed: boolean,
): Map<string, TaskDefinition> {
  try {
    return definitionsOf(target, defaults);
  } catch (error) {
    if (error instanceof ConfigurationError && isBehindToken && isNamed) return new Map();
    throw error;
  }
}

/** The definitions without the names that the same provider has already, as the provider of another class. */
function otherThan(
  taken: ReadonlySet<string>,
  definitions: ReadonlyMap<string, TaskDefinition>,
): Map<string, TaskDefinition> {
  const isFree = (name: string) => !taken.has(name);
  const own = [...definitions].filter(([, { name }]) => isFree(name));
  return new Map(
    own.map(([method, definition]) => [method, { ...definition, aliases: definition.aliases.filter(isFree) }]),
  );
}
