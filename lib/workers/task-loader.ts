import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import type { TaskExplorer } from '../tasks/task-explorer.js';
import type { TaskOptions } from '../tasks/task-options.js';
import type { RegisteredTask, TaskRegistry } from '../tasks/task-registry.js';
import type { TaskInvokerFactory } from './task-invoker-factory.js';

export interface TaskLoaderDeps {
  readonly explorer: TaskExplorer;
  readonly registry: TaskRegistry;
  readonly invokers: TaskInvokerFactory;
  readonly defaults: TaskOptions;
  /** Changes a task before it is registered. Default: it stays as it is. */
  readonly register?: ((task: RegisteredTask) => RegisteredTask) | undefined;
}

/** Registers the tasks of the application's providers, so that this process can run them. */
export class TaskLoader {
  /** The names of the tasks that are registered, by their provider. */
  private readonly loaded = new WeakMap<InstanceWrapper, Set<string>>();

  constructor(private readonly deps: TaskLoaderDeps) {}

  /**
   * Registers the tasks that are not registered yet: all of them when the application starts, and those of a module that
   * is loaded later.
   *
   * @throws ConfigurationError when an option of a task is wrong, or when a task with batches shares its queue
   * @throws DuplicateTaskError when two tasks have the same name
   */
  async load(): Promise<void> {
    const { explorer, registry, invokers, defaults, register = (task) => task } = this.deps;
    for (const task of explorer.explore(defaults)) {
      const { definition, provider, method } = task;
      const names = this.loaded.get(provider) ?? new Set();
      if (names.has(definition.name)) continue;
      this.loaded.set(provider, names.add(definition.name));
      const invoker = await invokers.create(task);
      registry.add(register({ definition, invoker, runs: { provider, method } }));
    }
    registry.checkBatches();
  }
}
