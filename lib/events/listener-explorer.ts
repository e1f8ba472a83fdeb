import type { DiscoveryService } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { providedClasses } from '../tasks/provided-classes.js';
import type { TaskOptions } from '../tasks/task-options.js';
import { listenersOf } from './on-task.decorator.js';
import { checkSubscription, type CheckedSubscription } from './subscription.js';

/** A method with `@OnTask()`, and the provider whose instances it is called on. */
export interface FoundListener {
  readonly provider: InstanceWrapper;
  readonly method: PropertyKey;
  /** `Class.method`. */
  readonly name: string;
  readonly subscriptions: readonly CheckedSubscription[];
}

/** Finds the listeners of an application's providers and controllers: each method of each provider once. */
export class ListenerExplorer {
  private readonly found = new WeakMap<InstanceWrapper, Set<PropertyKey>>();

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly defaults: TaskOptions,
  ) {}

  /**
   * The listeners that were not found before: all of them at first, then those of a module that is loaded later.
   *
   * @throws ConfigurationError when a type of event or a filter is wrong, or a method is static
   */
  findNew(): FoundListener[] {
    return providedClasses(this.discovery).flatMap(({ provider, type }) => {
      const known = this.found.get(provider) ?? new Set();
      this.found.set(provider, known);
      return listenersOf(type)
        .filter(({ method }) => !known.has(method))
        .map(({ method, subscriptions }) => {
          known.add(method);
          const name = `${type.name}.${String(method)}`;
          const check = subscriptions.map((each) => checkSubscription(each, `@OnTask() on ${name}`, this.defaults));
          return { provider, method, name, subscriptions: check };
        });
    });
  }
}
