import type { IncomingHttpHeaders } from 'node:http';
import type { Observable } from 'rxjs';
import { ConfigurationError } from '../errors.js';
import { refuseUnknown, type FieldsOf } from '../option-fields.js';
import type { TaskFailure } from '../engine/task.js';
import type { TaskStatus } from '../results/task-status.js';

/**
 * The request object of the platform. To use more than its headers, annotate the parameter with Express's `Request` or
 * Fastify's `FastifyRequest`.
 */
export interface HttpRequest {
  readonly headers: IncomingHttpHeaders;
}

/** The token that injects `false | ResolvedHttpOptions`. */
export const HTTP_OPTIONS = Symbol('nestjs-task-queue: http options');

/** A failure without its stack, as a function in {@link HttpOptions.exposeErrors} gets it. */
export type ShownFailure = Omit<TaskFailure, 'stack'>;

/**
 * Configures the HTTP endpoint that serves tasks: the option `http` of the module.
 *
 * @example
 * TaskQueueModule.forRoot({
 *   http: { path: 'internal/tasks', exposeErrors: ['CardDeclinedError'] },
 * })
 */
export interface HttpOptions {
  /**
   * The path of the endpoint, below the global prefix of the application if it has one. Default: `tasks`.
   *
   * @example 'internal/tasks' // GET /internal/tasks/:id
   */
  readonly path?: string;
  /**
   * Decides whether this request may read and cancel this task. Default: every request that knows the id may, and an id
   * cannot be guessed.
   *
   * Only `true` lets the request in: as the return value, as the value of a promise, or as the last value of an
   * Observable. For every other value, also when the function throws or does not answer within 10 seconds, the endpoint
   * answers as if the task did not exist. For an event stream the endpoint calls the function once, when the stream
   * opens.
   *
   * @param headers the headers that the task was enqueued with. They are the place for the owner of a task, because the
   * endpoint never sends them to a client.
   *
   * @example authorize: (request: Request, status, headers) => headers.owner === request.user.id
   */
  authorize?(
    this: void,
    request: HttpRequest,
    status: TaskStatus,
    headers: Readonly<Record<string, string>>,
  ): boolean | Promise<boolean> | Observable<boolean>;
  /**
   * Decides which errors of tasks clients may see, with name, message and code. For every other error, clients see "The
   * task failed", and the endpoint logs the error with the task's id. Clients never see stacks.
   *
   * - `true`: all errors. The default outside `NODE_ENV=production`.
   * - `false`: errors that were written for callers, which are `HttpException`s and the errors of `TaskContext.fail()`.
   *   The default under `NODE_ENV=production`.
   * - a list of error names: errors with these names, and errors that were written for callers.
   * - a function: returns `true` for an error that clients may see, and hides the error with every other value.
   *   `error.exposable` marks an error written for callers.
   *
   * @example exposeErrors: ['CardDeclinedError']
   */
  readonly exposeErrors?: boolean | readonly string[] | ((error: ShownFailure) => boolean);
  /**
   * Whether the status of a queued task also has `position` and `estimatedStart`, which tell clients how busy the application is.
   * `blockedBy`, the kind of reason why the task waits, is always there. Default: `false`.
   */
  readonly details?: boolean;
  /**
   * The most requests that this process holds open at the same time: long polls and event streams of all clients. The
   * endpoint answers 503 with `Retry-After` beyond this number. A whole number from 1. Default: 10,000.
   */
  readonly maxHeld?: number;
  /**
   * The most requests that this process holds open for one client at the same time. The endpoint answers 429 with
   * `Retry-After` beyond this number. A whole number from 1. Default: 100.
   *
   * A client is an address: `request.ip` of the platform. Behind a proxy all clients have the address of the proxy,
   * unless the application trusts the proxy: `app.set('trust proxy', …)` on Express, `trustProxy` on Fastify.
   */
  readonly maxHeldPerClient?: number;
}

/** The options, checked and complete. */
export interface ResolvedHttpOptions {
  /** Without a slash at its start or its end. */
  readonly path: string;
  readonly authorize: HttpOptions['authorize'] | undefined;
  /** Milliseconds that `authorize` has to answer. */
  readonly authorizeLimit: number;
  readonly mayShow: (error: ShownFailure) => boolean;
  readonly details: boolean;
  readonly maxHeld: number;
  readonly maxHeldPerClient: number;
  /** The longest time in milliseconds that a request may wait for a task. */
  readonly longestWait: number;
  /** Milliseconds between two heartbeats on an event stream. Proxies drop a connection that carries no data. */
  readonly heartbeat: number;
  /**
   * Milliseconds between two checks while the application closes. A client has at least this time to read an answer that
   * has ended, and at most twice this time.
   */
  readonly closingInterval: number;
}

const KNOWN: FieldsOf<HttpOptions> = {
  path: true,
  authorize: true,
  exposeErrors: true,
  details: true,
  maxHeld: true,
  maxHeldPerClient: true,
};

/** One or more segments of characters that need no escaping in a URL and have no meaning for a router. */
const PATH = /^[A-Za-z0-9_~-][A-Za-z0-9._~-]*(\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$/;

/** @throws ConfigurationError naming the option, the value and the cure */
export function resolveHttpOptions(
  options: false | HttpOptions | undefined,
  env: NodeJS.ProcessEnv = process.env,
): false | ResolvedHttpOptions {
  if (options === false) return false;
  const given: unknown = options ?? {};
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new ConfigurationError(`http is ${describe(given)}. Give false, or options such as { path: 'tasks' }.`);
  }
  refuseUnknown<HttpOptions>(given, KNOWN, (name) => `http.${name}`);
  const {
    path = 'tasks',
    authorize,
    exposeErrors = env['NODE_ENV'] !== 'production',
    details = false,
    maxHeld = 10_000,
    maxHeldPerClient = 100,
  } = given as HttpOptions;
  if (authorize !== undefined && typeof authorize !== 'function') {
    throw new ConfigurationError(
      `http.authorize is ${describe(authorize)}. Give a function: (request, status, headers) => boolean.`,
    );
  }
  if (typeof details !== 'boolean')
    throw new ConfigurationError(`http.details is ${describe(details)}. Give true or false.`);
  return {
    path: resolvePath(path),
    authorize,
    authorizeLimit: 10_000,
    mayShow: resolveExposeErrors(exposeErrors),
    details,
    maxHeld: checkLimit(maxHeld, 'maxHeld'),
    maxHeldPerClient: checkLimit(maxHeldPerClient, 'maxHeldPerClient'),
    longestWait: 60_000,
    heartbeat: 15_000,
    closingInterval: 300,
  };
}

function resolvePath(path: unknown): string {
  const trimmed = typeof path === 'string' ? path.replace(/^\/|\/$/g, '') : '';
  if (PATH.test(trimmed)) return trimmed;
  throw new ConfigurationError(
    `http.path is ${describe(path)}. Give a plain path, such as 'tasks' or 'internal/tasks'.`,
  );
}

function checkLimit(limit: unknown, option: keyof HttpOptions): number {
  if (Number.isSafeInteger(limit) && (limit as number) >= 1) return limit as number;
  throw new ConfigurationError(
    `http.${option} is ${typeof limit === 'number' ? limit : describe(limit)}. Give a whole number from 1.`,
  );
}

function resolveExposeErrors(option: unknown): (error: ShownFailure) => boolean {
  if (option === true) return () => true;
  if (option === false) return (error) => error.exposable === true;
  if (typeof option === 'function') return option as (error: ShownFailure) => boolean;
  if (Array.isArray(option) && option.every((name) => typeof name === 'string')) {
    const names = new Set(option);
    return (error) => error.exposable === true || names.has(error.name);
  }
  throw new ConfigurationError(
    `http.exposeErrors is ${describe(option)}. Give true, false, a list of error names, or a function: (error) => boolean.`,
  );
}

function describe(value: unknown): string {
  return typeof value === 'function' ? 'a function' : (JSON.stringify(value) ?? String(value));
}
