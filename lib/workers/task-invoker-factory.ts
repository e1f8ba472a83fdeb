import type { ApplicationConfig, ModuleRef, ModulesContainer } from '@nestjs/core';
import type { FoundTask } from '../tasks/task-explorer.js';
import type { TaskInvoker } from '../tasks/task-registry.js';
import { AppEnhancerReader, type AppEnhancerOptions } from './enhancers/app-enhancers.js';
import { BareMethod } from './enhancers/bare-method.js';
import { admission, batch, BatchMethod, whole, type PartOf } from './enhancers/batch-method.js';
import { EnhancedMethod } from './enhancers/enhanced-method.js';
import { EnhancerReader } from './enhancers/enhancer-reader.js';
import { isBare } from './enhancers/enhancers.js';
import { MethodPerRun } from './enhancers/method-per-run.js';
import { RunScope } from './enhancers/run-scope.js';
import { LateEnhancers } from './enhancers/late-enhancers.js';
import { TaskMethods } from './enhancers/task-method.js';
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
  private readonly late = new LateEnhancers();
  private readonly scope: RunScope;

  constructor({ config, modules, moduleRef, context, enhancers }: TaskInvokerFactoryDeps) {
    this.context = context;
    this.appEnhancers = new AppEnhancerReader(config, enhancers);
    this.enhancers = new EnhancerReader(modules);
    this.scope = new RunScope(context, moduleRef);
  }

  /** @throws the error of Nest when a dependency of an enhancer cannot be resolved */
  async create(task: FoundTask): Promise<TaskInvoker> {
    if (!task.definition.batch) return this.createPart(task, whole);
    const ofCall = await this.createPart(task, admission);
    return new BatchMethod(ofCall instanceof BareMethod ? undefined : ofCall, await this.createPart(task, batch));
  }

  private async createPart(task: FoundTask, partOf: PartOf): Promise<TaskInvoker> {
    const { appEnhancers, enhancers, late, scope, context } = this;
    const methods = new TaskMethods(task);
    const areLateScoped = (await late.create(task.provider, methods.known)).some(
      (each) => !each.isDependencyTreeStatic(),
    );
    if (!hasOneInstance(task) || appEnhancers.areScoped || areLateScoped) {
      const deps = { appEnhancers, enhancers, late, scope, context };
      return new MethodPerRun(task, hasOneInstance(task), deps, partOf);
    }
    const declared = methods.on(task.provider.instance as object);
    const all = enhancers.read(declared, appEnhancers.static(), task);
    if (partOf === whole) enhancers.warnOfMissingTypes(all, declared, task.definition.name);
    const { method, around } = partOf(declared, all);
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
