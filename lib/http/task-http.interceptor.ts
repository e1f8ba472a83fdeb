import { HttpStatus, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { RESPONSE_PASSTHROUGH_METADATA, ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/internal';
import type { HttpAdapterHost } from '@nestjs/core';
import { catchError, concatMap, from, of, throwError, type Observable } from 'rxjs';
import { TaskQueueError } from '../errors.js';
import { TaskHandle } from '../results/task-handle.js';
import type { TaskStatus } from '../results/task-status.js';
import type { AppFilters } from './app-filters.js';
import { problemOf, TaskProblemException } from './problem-details.js';
import { ASK_AGAIN_AFTER } from './task-endpoint.js';
import type { TaskLinks } from './task-links.js';

/** What a client gets from a handler that returned a `TaskHandle`. */
export interface AcceptedTask {
  readonly id: string;
  readonly name: string;
  readonly state: TaskStatus['state'];
  /** Where to ask for it; the same as the header `Location`. */
  readonly href: string;
}

export interface TaskHttpInterceptorDeps {
  readonly adapterHost: HttpAdapterHost;
  readonly links: TaskLinks;
  readonly appFilters: AppFilters;
}

/**
 * Around every HTTP handler of the app: a `TaskHandle` it returns, or a list of them, becomes `202 Accepted`, and what `enqueue` threw
 * becomes problem details.
 *
 * An interceptor and not a filter (`APP_FILTER`) for the errors too: a filter cannot decline, so one for these errors
 * would also run for tasks, RPC, sockets and GraphQL, where they must stay what they are, and would come before or after
 * the app's own by the accident of registration. This way the app's filters get an `HttpException` with the right
 * status and the error as its `cause`; a filter that names the error's class gets the error.
 */
export class TaskHttpInterceptor implements NestInterceptor {
  constructor(private readonly deps: TaskHttpInterceptorDeps) {}

  intercept(context: ExecutionContext, next: CallHandler<unknown>): Observable<unknown> {
    if (context.getType() !== 'http') return next.handle();
    return next.handle().pipe(
      concatMap((value) => (isAccepted(value) ? from(this.accepted(value, context)) : of(value))),
      catchError((error: unknown) => throwError(() => this.translated(error, context))),
    );
  }

  private async accepted(value: TaskHandle | readonly TaskHandle[], context: ExecutionContext): Promise<unknown> {
    const { httpAdapter } = this.deps.adapterHost;
    const response: unknown = context.switchToHttp().getResponse();
    if (writesItsOwnResponse(context) || httpAdapter.isHeadersSent(response)) return value;
    const body = value instanceof TaskHandle ? await this.describe(value) : await this.describeAll(value);
    httpAdapter.status(response, HttpStatus.ACCEPTED);
    httpAdapter.setHeader?.(response, 'Retry-After', ASK_AGAIN_AFTER);
    // Many tasks have no one place.
    if ('href' in body) httpAdapter.setHeader?.(response, 'Location', body.href);
    return body;
  }

  private async describe(handle: TaskHandle): Promise<AcceptedTask> {
    const { id, name, initialState } = handle;
    // A handle made from a bare id knows no more than that.
    const known =
      name === undefined || initialState === undefined ? await handle.status() : { name, state: initialState };
    return { id, name: known.name, state: known.state, href: this.deps.links.hrefOf(id) };
  }

  private describeAll(handles: readonly TaskHandle[]): Promise<AcceptedTask[]> {
    return Promise.all(handles.map((handle) => this.describe(handle)));
  }

  private translated(error: unknown, context: ExecutionContext): unknown {
    const problem = problemOf(error);
    if (!problem || (error instanceof TaskQueueError && this.deps.appFilters.catches(error, context))) return error;
    const { httpAdapter } = this.deps.adapterHost;
    const response: unknown = context.switchToHttp().getResponse();
    if (httpAdapter.isHeadersSent(response)) return error;
    // On the response already, for Nest's own filter sends a body and no headers.
    for (const [name, value] of Object.entries(problem.headers)) httpAdapter.setHeader?.(response, name, value);
    return new TaskProblemException(problem, error);
  }
}

/** A handle, or what `enqueueMany()` gave; an empty list may be any list. */
function isAccepted(value: unknown): value is TaskHandle | readonly TaskHandle[] {
  if (value instanceof TaskHandle) return true;
  return Array.isArray(value) && value.length > 0 && value.every((item) => item instanceof TaskHandle);
}

/** With `@Res()` or `@Next()` (but `passthrough`) what a handler returns is not sent. */
function writesItsOwnResponse(context: ExecutionContext): boolean {
  const type = context.getClass();
  const { name } = context.getHandler();
  if (Reflect.getMetadata(RESPONSE_PASSTHROUGH_METADATA, type, name) === true) return false;
  const parameters: object = (Reflect.getMetadata(ROUTE_ARGS_METADATA, type, name) as object | undefined) ?? {};
  return Object.keys(parameters).some((key) =>
    [RouteParamtypes.RESPONSE, RouteParamtypes.NEXT].some((kind) => key.startsWith(`${kind}:`)),
  );
}
