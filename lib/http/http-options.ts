import type { IncomingHttpHeaders } from 'node:http';
import { ConfigurationError } from '../errors.js';
import type { TaskFailure } from '../engine/task.js';
import type { TaskStatus } from '../results/task-status.js';

/** The request as the platform gives it: annotate the parameter with Express's `Request` or Fastify's `FastifyRequest`. */
export interface HttpRequest {
  readonly headers: IncomingHttpHeaders;
}

/** Injects `false | ResolvedHttpOptions`. */
export const HTTP_OPTIONS = Symbol('nestjs-task-queue: http options');

/** What is known of a failure when it is decided whether callers may read it. */
export type ShownFailure = Omit<TaskFailure, 'stack'>;

/** How tasks are served over HTTP; the option `http` of the module. */
export interface HttpOptions {
  /**
   * Where the endpoint is, under the global prefix if there is one; default `tasks`.
   *
   * @example 'internal/tasks' // GET /internal/tasks/:id
   */
  readonly path?: string;
  /**
   * Whether this request may see and cancel this task; default: whoever knows the id may, and an id cannot be guessed.
   * Everything but `true` or a promise of it, an exception too, is answered as if there were no such task. A stream
   * of events is asked about once, when it opens.
   *
   * `headers` are those the task was enqueued with: the place to note whose it is, for they never leave through the
   * endpoint.
   *
   * @example authorize: (request: Request, status, headers) => headers.owner === request.user.id
   */
  authorize?(
    this: void,
    request: HttpRequest,
    status: TaskStatus,
    headers: Readonly<Record<string, string>>,
  ): boolean | Promise<boolean>;
  /**
   * Which failed tasks show their error's name, message and code; the others read "The task failed" and are logged
   * with the task's id. Stacks are never shown.
   *
   * - `true`: all; the default outside `NODE_ENV=production`
   * - `false`: those written for callers, which are `HttpException`s and what `TaskContext.fail()` said; the default
   *   under `NODE_ENV=production`
   * - a list of error names: these ignoreOutage
   * - a function: decides alone; `error.exposable` marks those written for callers
   *
   * @example exposeErrors: ['CardDeclinedError']
   */
  readonly exposeErrors?: boolean | readonly string[] | ((error: ShownFailure) => boolean);
}

/** The same, checked and complete. */
export interface ResolvedHttpOptions {
  /** Without slashes at its ends. */
  readonly path: string;
  readonly authorize: HttpOptions['authorize'] | undefined;
  readonly mayShow: (error: ShownFailure) => boolean;
  /** The longest a request may wait for a task, in milliseconds. */
  readonly longestWait: number;
  /** Milliseconds between two signs of life on a stream of events, for proxies drop connections that look dead. */
  readonly heartbeat: number;
}

const KNOWN: ReadonlySet<string> = new Set<keyof HttpOptions>(['path', 'authorize', 'exposeErrors']);

/** One or more segments of what needs no escaping in a URL and means nothing to a router. */
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
  const unknown = Object.keys(given).filter((key) => !KNOWN.has(key));
  if (unknown.length > 0) {
    throw new ConfigurationError(
      `There is no option http.${unknown.join(', http.')}. Those there are: ${[...KNOWN].join(', ')}.`,
    );
  }
  const { path = 'tasks', authorize, exposeErrors = env['NODE_ENV'] !== 'production' } = given as HttpOptions;
  if (authorize !== undefined && typeof authorize !== 'function') {
    throw new ConfigurationError(
      `http.authorize is ${describe(authorize)}. Give a function: (request, status, headers) => boolean.`,
    );
  }
  return {
    path: resolvePath(path),
    authorize,
    mayShow: resolveExposeErrors(exposeErrors),
    longestWait: 60_000,
    heartbeat: 15_000,
  };
}

function resolvePath(path: unknown): string {
  const trimmed = typeof path === 'string' ? path.replace(/^\/|\/$/g, '') : '';
  if (PATH.test(trimmed)) return trimmed;
  throw new ConfigurationError(
    `http.path is ${describe(path)}. Give a plain path, such as 'tasks' or 'internal/tasks'.`,
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
