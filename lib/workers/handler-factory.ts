import type { ApplicationConfig, ModuleRef, ModulesContainer } from '@nestjs/core';
import type { FoundTask } from '../tasks/task-explorer.js';
import { AppEnhancerReader, resolveWrapped, type AppEnhancerOptions } from './enhancers/app-enhancers.js';
import { EnhancedMethod } from './enhancers/enhanced-method.js';
import { EnhancerReader } from './enhancers/enhancer-reader.js';
import { isBare } from './enhancers/enhancers.js';
import { RunScope } from './enhancers/run-scope.js';
import { endWith, settle } from './enhancers/observable-result.js';
import { TaskMethod } from './enhancers/task-method.js';
import { refuseUnbuiltEnhancers } from './enhancers/unbuilt-enhancers.js';
import type { TaskContext } from './task-context.js';

/** Calls a task's method with arguments as they came out of the queue. */
export type Handler = (args: readonly unknown[]) => unknown;

/** Makes of a found task what the executor calls: its method with Nest's enhancers around it, on the right instance. */
export class HandlerFactory {
  private readonly app: AppEnhancerReader;
  private readonly reader: EnhancerReader;
  private readonly scope: RunScope;

  constructor(
    config: ApplicationConfig,
    modules: ModulesContainer,
    moduleRef: ModuleRef,
    private readonly context: TaskContext,
    options: AppEnhancerOptions,
  ) {
    this.app = new AppEnhancerReader(config, options);
    this.reader = new EnhancerReader(modules);
    this.scope = new RunScope(context, moduleRef);
  }

  /** @throws ConfigurationError when an enhancer of the task would not run */
  create(task: FoundTask): Handler {
    refuseUnbuiltEnhancers(task, classOf(task));
    if (livesOn(task) && !this.app.areScoped) return this.once(task);
    return this.perRun(task);
  }

  /** For a provider that lives as long as the application: everything is put together once. */
  private once(task: FoundTask): Handler {
    const method = new TaskMethod(task.provider.instance as object, task.method);
    const enhancers = this.reader.read(method, this.app.static(), task);
    this.reader.warnOfMissingTypes(enhancers, task.definition.name);
    // A task without enhancers is a method call, and costs no more.
    if (isBare(enhancers)) {
      const finish = (returned: unknown) => settle(endWith(this.context.current(), returned));
      return (args) => {
        const returned = method.call(args);
        return isThenable(returned) ? Promise.resolve(returned).then(finish) : finish(returned);
      };
    }
    const enhanced = new EnhancedMethod(method, enhancers, this.context);
    return (args) => enhanced.call(args);
  }

  /** For what is request-scoped or transient, be it the provider or an enhancer: instances of its own for each run. */
  private perRun(task: FoundTask): Handler {
    const { provider, definition } = task;
    let warned = false;
    return async (args) => {
      const contextId = this.scope.open(provider);
      const instance = livesOn(task)
        ? (provider.instance as object)
        : await resolveWrapped<object>(provider, contextId);
      const method = new TaskMethod(instance, task.method);
      const enhancers = this.reader.read(method, await this.app.forRun(contextId), { provider, contextId });
      if (!warned) this.reader.warnOfMissingTypes(enhancers, definition.name);
      warned = true;
      return new EnhancedMethod(method, enhancers, this.context).call(args);
    };
  }
}

function livesOn({ provider }: FoundTask): boolean {
  return provider.isDependencyTreeStatic() && !provider.isTransient;
}

function classOf({ provider }: FoundTask): Function {
  const { metatype, isNotMetatype } = provider;
  return isNotMetatype || !metatype ? (provider.instance as object).constructor : metatype;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
