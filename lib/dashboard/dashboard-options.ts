import type { IncomingHttpHeaders } from 'node:http';
import type {
  CanActivate,
  DynamicModule,
  ForwardReference,
  InjectionToken,
  OptionalFactoryDependency,
  Type,
} from '@nestjs/common';
import { ConfigurationError } from '../errors.js';
import { userOfRequest } from './user-of-request.js';

/** The request object of the platform: Express's `Request` or Fastify's `FastifyRequest`. */
export interface DashboardRequest {
  readonly headers: IncomingHttpHeaders;
  /** What a guard or a middleware has stored there. */
  readonly user?: unknown;
}

/** The options of the dashboard that a factory may give. */
export interface TaskDashboardSettings {
  /** The path of the page, below the global prefix of the application. Default: `admin/tasks`. */
  readonly path?: string;
  /**
   * The path of the page as browsers see it, such as `/jobs`. Only a proxy that gives the page another name needs it: a proxy that
   * puts a path in front of the page, or takes one away, does not. Default: the page finds its path by the address of the browser.
   */
  readonly publicPath?: string;
  /**
   * The page shows everything and changes nothing: requests that change something are refused. A function decides for each request,
   * so that some users may act and others may only look. Default: `false`.
   *
   * @example readOnly: (request: Request) => !request.user.roles.includes('operator')
   */
  readonly readOnly?: boolean | ((this: void, request: DashboardRequest) => boolean | Promise<boolean>);
  /** The name of the application at the head of the page. Default: `Tasks`. */
  readonly title?: string;
  /**
   * Decides what of a value the page shows. It is called for each value inside of the arguments, the result, the progress and
   * the headers of a task, from the outside to the inside. What it returns is shown instead of the value; `undefined` masks the
   * value. Values under keys that are named like secrets (`password`, `apiKey`, `token` …) are masked in any case.
   *
   * @param path where the value is, for example `args.0.email`, `result.total` or `headers.owner`
   * @example redact: (path, value) => (path.endsWith('.email') ? '…' : value)
   */
  redact?(this: void, path: string, value: unknown): unknown;
  /**
   * The name of the user of a request: `by` of what `@OnAdmin()` gets, and of pauses and limits. Default: the first of `username`,
   * `name`, `email`, `sub` and `id` that `request.user` has, else `unknown`.
   *
   * @example user: (request: Request) => request.session.login
   */
  user?(this: void, request: DashboardRequest): string | undefined | Promise<string | undefined>;
}

type Guards = readonly (Type<CanActivate> | CanActivate)[];

/** The options of `TaskDashboardModule.forRoot()`. */
export interface TaskDashboardOptions extends TaskDashboardSettings {
  /** Modules with the providers that the guards inject. */
  readonly imports?: readonly (Type | DynamicModule | Promise<DynamicModule> | ForwardReference)[];
  /**
   * Guards of every request of the dashboard, after the global ones. Under `NODE_ENV=production` at least one is required: the
   * page shows the arguments of all tasks, and can cancel and remove them.
   */
  readonly guards?: Guards;
}

/** The options of `TaskDashboardModule.forRootAsync()`. */
export interface TaskDashboardAsyncOptions extends Pick<TaskDashboardOptions, 'imports' | 'guards'> {
  readonly inject?: readonly (InjectionToken | OptionalFactoryDependency)[];
  /**
   * Creates the other options. Guards that it returns run after those of `guards`; they cannot be request-scoped.
   */
  // Nest calls the function with the values of the tokens in `inject`, whose types are not known here.
  readonly useFactory: (
    ...injected: never[]
  ) => (TaskDashboardSettings & { guards?: Guards }) | Promise<TaskDashboardSettings & { guards?: Guards }>;
}

/** Injects the {@link ResolvedDashboardOptions}. */
export const DASHBOARD_OPTIONS = Symbol('nestjs-task-queue: dashboard options');

/** The options, checked and complete. */
export interface ResolvedDashboardOptions {
  /** Without a slash at its start or its end. */
  readonly path: string;
  /** With a slash at its start and without one at its end. */
  readonly publicPath: string | undefined;
  readonly readOnly: (request: DashboardRequest) => boolean | Promise<boolean>;
  readonly title: string;
  readonly redact: ((path: string, value: unknown) => unknown) | undefined;
  readonly user: (request: DashboardRequest) => string | undefined | Promise<string | undefined>;
  /** Guards that a factory returned. */
  readonly guards: Guards;
}

const KNOWN: readonly string[] = ['path', 'publicPath', 'readOnly', 'title', 'redact', 'user', 'guards', 'imports'];
/** One or more segments of characters that need no escaping in a URL and have no meaning for a router. */
const PATH = /^[A-Za-z0-9_~-][A-Za-z0-9._~-]*(\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$/;

/**
 * @param guardCount how many guards the module has besides those of these options
 * @throws ConfigurationError naming the option, the value and the cure
 */
export function resolveDashboardOptions(
  options: TaskDashboardSettings & { readonly guards?: Guards },
  guardCount: number,
  env: NodeJS.ProcessEnv = process.env,
): ResolvedDashboardOptions {
  const unknown = Object.keys(options).filter((key) => !KNOWN.includes(key));
  if (unknown.length > 0)
    throw new ConfigurationError(
      `TaskDashboardModule has no option ${unknown.join(', ')}. The options are: ${KNOWN.join(', ')}.`,
    );
  const {
    path = 'admin/tasks',
    publicPath,
    readOnly = false,
    title = 'Tasks',
    redact,
    user = userOfRequest,
    guards = [],
  } = options;
  if (guards.length + guardCount === 0 && env['NODE_ENV'] === 'production')
    throw new ConfigurationError(
      'TaskDashboardModule has no guards, and NODE_ENV is production: everyone could read and change all tasks. ' +
        'Give the guards of your administrators: TaskDashboardModule.forRoot({ imports: [AuthModule], guards: [AdminGuard] }).',
    );
  const trimmed = trim(path);
  if (!PATH.test(trimmed)) throw wrong('path', path, `Give a plain path, such as 'admin/tasks'.`);
  if (publicPath !== undefined && !PATH.test(trim(publicPath)))
    throw wrong('publicPath', publicPath, `Give the path of the page in the browser, such as '/jobs'.`);
  if (typeof readOnly !== 'boolean' && typeof readOnly !== 'function')
    throw wrong('readOnly', readOnly, 'Give true, false or a function: (request) => boolean.');
  if (typeof title !== 'string') throw wrong('title', title, 'Give a text.');
  if (redact !== undefined && typeof redact !== 'function')
    throw wrong('redact', redact, 'Give a function: (path, value) => shown value.');
  if (typeof user !== 'function') throw wrong('user', user, 'Give a function: (request) => name.');
  return {
    path: trimmed,
    publicPath: publicPath === undefined ? undefined : `/${trim(publicPath)}`,
    readOnly: typeof readOnly === 'function' ? readOnly : () => readOnly,
    ...{ title, redact, user, guards },
  };
}

function trim(path: unknown): string {
  return typeof path === 'string' ? path.replace(/^\/|\/$/g, '') : '';
}

function wrong(option: string, value: unknown, cure: string): ConfigurationError {
  return new ConfigurationError(
    `The option ${option} of TaskDashboardModule is ${JSON.stringify(value) ?? String(value)}. ${cure}`,
  );
}
