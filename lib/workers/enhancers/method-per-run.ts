import type { Type } from '@nestjs/common';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import type { FoundTask } from '../../tasks/task-explorer.js';
import type { TaskInvoker } from '../../tasks/task-registry.js';
import type { TaskContext } from '../task-context.js';
import { resolveWrapped, type AppEnhancerReader } from './app-enhancers.js';
import { EnhancedMethod } from './enhanced-method.js';
import type { EnhancerReader } from './enhancer-reader.js';
import type { RunScope } from './run-scope.js';
import type { LateEnhancers } from './late-enhancers.js';
import { TaskMethods, type TaskMethod } from './task-method.js';
import { whole, type PartOf } from './batch-method.js';

export interface MethodPerRunDeps {
  readonly appEnhancers: AppEnhancerReader;
  readonly enhancers: EnhancerReader;
  readonly late: LateEnhancers;
  readonly scope: RunScope;
  readonly context: TaskContext;
}

/**
 * Calls the method of a task whose provider, or one of whose enhancers, is request-scoped or transient. Each run gets
 * instances of its own.
 */
export class MethodPerRun implements TaskInvoker {
  private readonly methods: TaskMethods;
  /** By the class of the instance. The class of what a factory returns may differ from run to run. */
  private readonly lateOf = new WeakMap<Type, Promise<InstanceWrapper[]>>();
  private hasWarned = false;

  /**
   * @param hasOneInstance whether the provider itself lives as long as the application
   * @param partOf the part of the method that a run calls; default: all of it
   */
  constructor(
    private readonly task: FoundTask,
    private readonly hasOneInstance: boolean,
    private readonly deps: MethodPerRunDeps,
    private readonly partOf: PartOf = whole,
  ) {
    this.methods = new TaskMethods(task);
  }

  async invoke(args: readonly unknown[]): Promise<unknown> {
    const { provider, definition } = this.task;
    const { appEnhancers, enhancers, late, scope, context } = this.deps;
    const contextId = scope.open(provider);
    const instance = this.hasOneInstance
      ? (provider.instance as object)
      : await resolveWrapped<object>(provider, contextId);
    const method = this.methods.on(instance);
    await late.load(await this.lateEnhancersOf(method), provider, contextId);
    const around = enhancers.read(method, await appEnhancers.forRun(contextId), { provider, contextId });
    if (!this.hasWarned) enhancers.warnOfMissingTypes(around, method, definition.name);
    this.hasWarned = true;
    const part = this.partOf(method, around);
    return new EnhancedMethod(part.method, part.around, context).invoke(args);
  }

  private lateEnhancersOf(method: TaskMethod): Promise<InstanceWrapper[]> {
    let late = this.lateOf.get(method.type);
    if (!late) {
      late = this.deps.late.create(this.task.provider, method);
      this.lateOf.set(method.type, late);
    }
    return late;
  }
}
