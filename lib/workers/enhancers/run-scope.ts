import { ContextIdFactory, ModuleRef, type ContextId } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { REQUEST_CONTEXT_ID } from '@nestjs/core/router/request/request-constants.js';
import { TaskContext, type TaskRun } from '../task-context.js';

/**
 * Opens a scope of request-scoped providers for a run, as Nest does for a request. Nest keeps these providers in weak
 * maps by the context id of the run, so they are garbage-collected together with the run.
 */
export class RunScope {
  constructor(
    private readonly context: TaskContext,
    private readonly moduleRef: ModuleRef,
  ) {}

  /**
   * Opens the scope of the current run.
   *
   * @throws Error outside of a run
   */
  open(provider: InstanceWrapper): ContextId {
    const run = this.context.current();
    if (!run) throw new Error('A scope can be opened only inside a run.');
    const request = new ContextOfOneRun(run);
    // A ContextIdStrategy of the application can find the tenant of durable providers in `headers`.
    const contextId = ContextIdFactory.getByRequest(request) as ContextId & { payload?: object };
    // A provider that injects REQUEST can resolve further providers in the same scope. For a request, Nest sets this
    // property too.
    Object.defineProperty(request, REQUEST_CONTEXT_ID, { value: contextId });
    this.moduleRef.registerRequestByContextId(
      contextId.payload && provider.isDependencyTreeDurable() ? contextId.payload : request,
      contextId,
    );
    return contextId;
  }
}

/** The context of one run, even when it is used outside of the run. The token `REQUEST` injects it. */
class ContextOfOneRun extends TaskContext {
  constructor(private readonly ownRun: TaskRun) {
    super();
  }

  override current(): TaskRun {
    return this.ownRun;
  }
}
