import { Injectable, type Type } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { definitionsOf, type TaskDefinition } from './task-definition.js';
import type { TaskOptions } from './task-options.js';

/** A declared task and the provider whose class has its method. */
export interface FoundTask {
  readonly definition: TaskDefinition;
  readonly provider: InstanceWrapper;
  readonly method: string;
}

/** Finds the tasks in an application's providers and controllers. */
@Injectable()
export class TaskExplorer {
  constructor(private readonly discovery: DiscoveryService) {}

  /** The tasks of all classes. @throws ConfigurationError when an option of a task is wrong */
  explore(defaults: TaskOptions): FoundTask[] {
    const found: FoundTask[] = [];
    for (const { provider, target } of this.classes()) {
      for (const [method, definition] of definitionsOf(target, defaults)) {
        found.push({
          definition: { ...definition, origin: `${definition.origin} in ${provider.host?.name ?? 'a module'}` },
          provider,
          method,
        });
      }
    }
    return found;
  }

  /** Every provider and controller once, with its class. */
  *classes(): Generator<{ readonly provider: InstanceWrapper; readonly target: Type }> {
    const seen = new Set<unknown>();
    for (const provider of [...this.discovery.getProviders(), ...this.discovery.getControllers()]) {
      const target = classOf(provider);
      if (!target || provider.isAlias) continue;
      // Several tokens may provide the same instance, but its tasks are declared once.
      const identity: unknown = provider.instance ?? provider;
      if (seen.has(identity)) continue;
      seen.add(identity);
      yield { provider, target };
    }
  }
}

/** The class of a provider. For a factory or `useValue` it is the class of the instance. */
function classOf({ metatype, instance, inject }: InstanceWrapper): Type | undefined {
  const fromFactory = inject !== undefined || !metatype;
  const target: unknown = fromFactory ? (instance as object | null | undefined)?.constructor : metatype;
  return typeof target === 'function' && target.prototype ? (target as Type) : undefined;
}
