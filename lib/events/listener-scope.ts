import { ContextIdFactory, type ContextId, type ModuleRef } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { REQUEST_CONTEXT_ID } from '@nestjs/core/router/request/request-constants.js';
import { resolveWrapped } from '../workers/enhancers/app-enhancers.js';

/**
 * The instance that gets an event of a task, or an act of an administrator: the one of the application, or one of the event's own when the provider, or something that
 * it injects, is request-scoped or transient. The token `REQUEST` then injects the event.
 */
export function instanceFor(provider: InstanceWrapper, event: object, moduleRef: ModuleRef): object | Promise<object> {
  if (provider.isDependencyTreeStatic() && !provider.isTransient) return provider.instance as object;
  return resolveWrapped<object>(provider, openScope(provider, event, moduleRef));
}

function openScope(provider: InstanceWrapper, event: object, moduleRef: ModuleRef): ContextId {
  // A ContextIdStrategy of the application can find the tenant of durable providers in `headers`.
  const contextId = ContextIdFactory.getByRequest(event) as ContextId & { payload?: object };
  // A provider that injects REQUEST can resolve further providers in the same scope. For a request, Nest sets this
  // property too.
  Object.defineProperty(event, REQUEST_CONTEXT_ID, { value: contextId });
  moduleRef.registerRequestByContextId(
    contextId.payload && provider.isDependencyTreeDurable() ? contextId.payload : event,
    contextId,
  );
  return contextId;
}
