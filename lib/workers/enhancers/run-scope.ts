import { ContextIdFactory, ModuleRef, type ContextId } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { REQUEST_CONTEXT_ID } from '@nestjs/core/internal';
import { TaskContext, type TaskRun } from '../task-context.js';

/**
 * What a request is to a route, a run is to a task: request-scoped providers are made for it, and Nest holds them by its
 * id in weak maps, so that they go with it.
 */
export class RunScope {
  constructor(
    private readonly context: TaskContext,
    private readonly moduleRef: ModuleRef,
  ) {}

  /** Has to be called inside the run. */
  open(provider: InstanceWrapper): ContextId {
    const run = this.context.current();
    if (!run) throw new Error('A scope is opened inside a run only.');
    const request = new ContextOfOneRun(run);
    // The application's ContextIdStrategy, if it has one, finds the tenant of durable providers in `headers`.
    const contextId = ContextIdFactory.getByRequest(request) as ContextId & { payload?: object };
    // As for requests: who has REQUEST injected can resolve more in the same scope.
    Object.defineProperty(request, REQUEST_CONTEXT_ID, { value: contextId });
    this.moduleRef.registerRequestByContextId(
      contextId.payload && provider.isDependencyTreeDurable() ? contextId.payload : request,
      contextId,
    );
    return contextId;
  }
}

/** The context of one run wherever it is used: what `REQUEST` injects. */
class ContextOfOneRun extends TaskContext {
  constructor(private readonly only: TaskRun) {
    super();
  }

  override current(): TaskRun {
    return this.only;
  }
}
