import { HttpStatus, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { RESPONSE_PASSTHROUGH_METADATA, ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import type { HttpAdapterHost } from '@nestjs/core';
import { catchError, concatMap, from, of, throwError, type Observable } from 'rxjs';
import { TaskQueueError } from '../errors.js';
import { TaskHandle } from '../results/task-handle.js';
import type { TaskStatus } from '../results/task-status.js';
import type { AppFilters } from './app-filters.js';
import { typeWhenSent } from './patched-response.js';
import { problemOf, TaskProblemException } from './problem-details.js';
import { POLL_AGAIN_AFTER } from './task-endpoint.js';
import type { TaskLinks } from './task-links.js';

/** The body that a client gets from a handler that returned a `TaskHandle`. */
export interface AcceptedTask {
  readonly id: string;
  readonly name: string;
  readonly state: TaskStatus['state'];
  /** The path of the task's status; the same as the header `Location`. */
  readonly href: string;
}

export interface TaskHttpInterceptorDeps {
  readonly adapterHost: HttpAdapterHost;
  readonly links: TaskLinks;
  readonly appFilters: AppFilters;
}

/**
 * Runs around every HTTP handler of the application. A `TaskHandle` that the handler returns, or a list of handles,
 * becomes `202 Accepted`. An error of `enqueue` becomes problem details.
 *
 * The interceptor handles errors too, instead of a filter (`APP_FILTER`). A filter cannot decline an error: a filter
 * for these errors would also run for tasks, RPC, sockets and GraphQL, where the errors must not change, and it would
 * run before or after the application's filters depending on the order of registration. With the interceptor, the
 * application's filters get an `HttpException` with the right status and the error as its `cause`. A filter that names
 * the class of the error gets the error itself.
 */
export class TaskHttpInterceptor implements NestInterceptor {
  constructor(private readonly deps: TaskHttpInterceptorDeps) {}

  intercept(context: ExecutionContext, next: CallHandler<unknown>): Observable<unknown> {
    if (context.getType() !== 'http') return next.handle();
    return next.handle().pipe(
      concatMap((value) => (isHandleOrList(value) ? from(this.answerAccepted(value, context)) : of(value))),
      catchError((error: unknown) => throwError(() => this.translate(error, context))),
    );
  }

  private async answerAccepted(value: TaskHandle | readonly TaskHandle[], context: ExecutionContext): Promise<unknown> {
    const { httpAdapter } = this.deps.adapterHost;
    const response: unknown = context.switchToHttp().getResponse();
    if (writesItsOwnResponse(context) || httpAdapter.isHeadersSent(response)) return value;
    const body =
      value instanceof TaskHandle ? await this.describe(value, context) : await this.describeAll(value, context);
    httpAdapter.status(response, HttpStatus.ACCEPTED);
    httpAdapter.setHeader?.(response, 'Retry-After', POLL_AGAIN_AFTER);
    // A list of tasks has no single location.
    if ('href' in body) httpAdapter.setHeader?.(response, 'Location', body.href);
    return body;
  }

  private async describe(handle: TaskHandle, context: ExecutionContext): Promise<AcceptedTask> {
    const { id, name, initialState } = handle;
    // A handle made from a bare id has no name and no state, so the record is fetched.
    const known =
      name === undefined || initialState === undefined ? await handle.status() : { name, state: initialState };
    const { params } = context.switchToHttp().getRequest<{ params?: Record<string, unknown> }>();
    return { id, name: known.name, state: known.state, href: this.deps.links.hrefOf(id, params) };
  }

  private describeAll(handles: readonly TaskHandle[], context: ExecutionContext): Promise<AcceptedTask[]> {
    return Promise.all(handles.map((handle) => this.describe(handle, context)));
  }

  private translate(error: unknown, context: ExecutionContext): unknown {
    const problem = problemOf(error);
    if (!problem || (error instanceof TaskQueueError && this.deps.appFilters.catches(error, context))) return error;
    const { httpAdapter } = this.deps.adapterHost;
    const response: unknown = context.switchToHttp().getResponse();
    if (httpAdapter.isHeadersSent(response)) return error;
    // The headers are set here, because Nest's own filter sends a body and no headers.
    const { 'Content-Type': _, ...headers } = problem.headers;
    for (const [name, value] of Object.entries(headers)) httpAdapter.setHeader?.(response, name, value);
    typeWhenSent(httpAdapter, response, problem.body);
    return new TaskProblemException(problem, error);
  }
}

/** Whether a value is a handle, or a list of handles as `enqueueMany()` returns it. An empty list does not count. */
function isHandleOrList(value: unknown): value is TaskHandle | readonly TaskHandle[] {
  if (value instanceof TaskHandle) return true;
  return Array.isArray(value) && value.length > 0 && value.every((item) => item instanceof TaskHandle);
}

/** Nest does not send the return value of a handler that uses `@Res()` or `@Next()`, unless `passthrough` is set. */
function writesItsOwnResponse(context: ExecutionContext): boolean {
  const type = context.getClass();
  const { name } = context.getHandler();
  if (Reflect.getMetadata(RESPONSE_PASSTHROUGH_METADATA, type, name) === true) return false;
  const parameters: object = (Reflect.getMetadata(ROUTE_ARGS_METADATA, type, name) as object | undefined) ?? {};
  return Object.keys(parameters).some((key) =>
    [RouteParamtypes.RESPONSE, RouteParamtypes.NEXT].some((kind) => key.startsWith(`${kind}:`)),
  );
}
