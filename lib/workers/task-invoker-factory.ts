import type { ApplicationConfig, ModuleRef, ModulesContainer } from '@nestjs/core';
import type { FoundTask } from '../tasks/task-explorer.js';
import type { TaskInvoker } from '../tasks/task-registry.js';
import { AppEnhancerReader, type AppEnhancerOptions } from './enhancers/app-enhancers.js';
import { BareMethod } from './enhancers/bare-method.js';
import { EnhancedMethod } from './enhancers/enhanced-method.js';
import { EnhancerReader } from './enhancers/enhancer-reader.js';
import { isBare } from './enhancers/enhancers.js';
import { MethodPerRun } from './enhancers/method-per-run.js';
import { RunScope } from './enhancers/run-scope.js';
import { TaskMethod } from './enhancers/task-method.js';
import { refuseUnbuiltEnhancers } from './enhancers/unbuilt-enhancers.js';
import type { TaskContext } from './task-context.js';

export interface TaskInvokerFactoryDeps {
  readonly config: ApplicationConfig;
  readonly modules: ModulesContainer;
  readonly moduleRef: ModuleRef;
  readonly context: TaskContext;
  readonly enhancers: AppEnhancerOptions;
}

/**
 * Makes the invoker of a task: its method on the right instance, with Nest's enhancers around it. A provider that lives
 * as long as the application gets a `BareMethod` or an `EnhancedMethod`, any other a `MethodPerRun`.
 */
export class TaskInvokerFactory {
  private readonly context: TaskContext;
  private readonly appEnhancers: AppEnhancerReader;
  private readonly enhancers: EnhancerReader;
  private readonly scope: RunScope;

  constructor({ config, modules, moduleRef, context, enhancers }: TaskInvokerFactoryDeps) {
    this.context = context;
    this.appEnhancers = new AppEnhancerReader(config, enhancers);
    this.enhancers = new EnhancerReader(modules);
    this.scope = new RunScope(context, moduleRef);
  }

  /** @throws ConfigurationError when an enhancer of the task would not run */
  create(task: FoundTask): TaskInvoker {
    refuseUnbuiltEnhancers(task, classOf(task));
    const { appEnhancers, enhancers, scope, context } = this;
    if (!hasOneInstance(task) || appEnhancers.areScoped) {
      return new MethodPerRun(task, hasOneInstance(task), { appEnhancers, enhancers, scope, context });
    }
    const method = new TaskMethod(task.provider.instance as object, task.method);
    const around = enhancers.read(method, appEnhancers.static(), task);
    enhancers.warnOfMissingTypes(around, task.definition.name);
    return isBare(around) ? new BareMethod(method, context) : new EnhancedMethod(method, around, context);
  }
}

/**
 * Whether the provider lives as long as the application: neither it nor its dependencies are request-scoped or
 * transient.
 */
function hasOneInstance({ provider }: FoundTask): boolean {
  return provider.isDependencyTreeStatic() && !provider.isTransient;
}

function classOf({ provider }: FoundTask): Function {
  const { metatype, isNotMetatype } = provider;
  return isNotMetatype || !metatype ? (provider.instance as object).constructor : metatype;
}
