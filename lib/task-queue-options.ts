import type { Duration } from './duration.js';
import { parseDuration } from './duration.js';
import { parseConnection, type Connection, type ConnectionOption } from './engine/connection.js';
import { ConfigurationError } from './errors.js';
import type { HttpOptions } from './http/http-options.js';
import { checkQueueName, DEFAULT_QUEUE, defineFrom } from './tasks/task-definition.js';
import type { TaskOptions } from './tasks/task-options.js';

/** What a process does: run tasks and enqueue them, only enqueue them, or run them without serving HTTP. */
export type Role = 'both' | 'producer' | 'worker';

export interface QueueOptions {
  /** Tasks at once in one process; default 10. */
  readonly concurrency?: number;
  /** Starts at most `max` tasks in `per`, counted over all workers of the queue; default no limit. */
  readonly rateLimit?: { readonly max: number; readonly per: Duration };
  /** Whether its tasks may have a `priority`; default false, for ordering costs a little at every task. */
  readonly priorities?: boolean;
}

/** Options of `TaskQueueModule.forRoot()`. Everything has a default; a bad value fails at boot. */
export interface TaskQueueOptions {
  /**
   * `redis://` `rediss://` `postgres://` `postgresql://` URL, `pglite:<folder>` (embedded, on disk), `pglite:` (embedded,
   * in memory), the driver's own options, or an existing ioredis client or pg pool, which is never closed.
   * Default: `TASK_QUEUE_URL`, else `pglite:.task-queue`, under `NODE_ENV=test` `pglite:`.
   */
  readonly connection?: ConnectionOption;
  /** Namespace of everything stored: Redis key prefix or PostgreSQL schema; default `TASK_QUEUE_PREFIX`, else `tasks`. */
  readonly prefix?: string;
  /** Default: `TASK_QUEUE_ROLE`, else `both`. */
  readonly role?: Role;
  /** By name; a queue that is not named here has the defaults. */
  readonly queues?: Readonly<Record<string, QueueOptions>>;
  /** Queues this process runs; default: `TASK_QUEUE_CONSUME` (comma-separated), else `'*'`, all that have a task here. */
  readonly consume?: '*' | readonly string[];
  /** Options under those of every task. */
  readonly defaults?: Omit<TaskOptions, 'name'>;
  /** How long a finished task can be asked for; default `{ ttl: '1d', failedTtl: '7d' }`. */
  readonly results?: { readonly ttl?: Duration; readonly failedTtl?: Duration };
  /** `false`, or where and how tasks are served; default `{ path: 'tasks' }`. */
  readonly http?: false | HttpOptions;
  /**
   * `global: false` keeps those of the whole application away from tasks (`APP_GUARD` and the like, `useGlobalGuards()` and
   * the like), for they are often written for HTTP. What decorators bind to a task or its class stays. Default: as
   * around a route, all of them.
   */
  readonly enhancers?: { readonly global?: boolean };
  /** Bytes of JSON of the arguments, and of a result; default 1 MiB. */
  readonly maxPayload?: number;
  /** A call that cannot reach the engine fails after this; default `'5s'`. */
  readonly enqueueTimeout?: Duration;
  /**
   * A worker that gave no sign of life for this long counts as dead, and the tasks that it ran are run again elsewhere.
   * It must be longer than a worker's event loop is ever blocked. At least 1 s; default `'30s'`.
   */
  readonly abandonedAfter?: Duration;
  /** How long running tasks may go on once the application closes; default `{ grace: '30s' }`. */
  readonly shutdown?: { readonly grace?: Duration };
}

/** A queue as it is run; durations are milliseconds. */
export interface ResolvedQueue {
  readonly concurrency: number;
  readonly rateLimit?: { readonly max: number; readonly per: number };
  readonly priorities: boolean;
}

/** The same, checked and complete. Durations are milliseconds. */
export interface ResolvedOptions {
  readonly connection: Connection;
  readonly prefix: string;
  readonly role: Role;
  readonly queues: ReadonlyMap<string, ResolvedQueue>;
  readonly consume: '*' | readonly string[];
  readonly defaults: TaskOptions;
  readonly retention: { readonly ttl: number; readonly failedTtl: number };
  readonly http: false | HttpOptions;
  readonly enhancers: { readonly global: boolean };
  readonly maxPayload: number;
  readonly enqueueTimeout: number;
  readonly abandonedAfter: number;
  readonly grace: number;
}

export const QUEUE_DEFAULTS: ResolvedQueue = { concurrency: 10, priorities: false };

const KNOWN: ReadonlySet<string> = new Set<keyof TaskQueueOptions>([
  'connection',
  'prefix',
  'role',
  'queues',
  'consume',
  'defaults',
  'results',
  'http',
  'enhancers',
  'maxPayload',
  'enqueueTimeout',
  'abandonedAfter',
  'shutdown',
]);

/** @throws ConfigurationError naming the option, the value and the cure */
export function resolveOptions(options: TaskQueueOptions, env: NodeJS.ProcessEnv = process.env): ResolvedOptions {
  const unknown = Object.keys(options).filter((key) => !KNOWN.has(key));
  if (unknown.length > 0) {
    throw new ConfigurationError(
      `There is no option ${unknown.join(', ')}. Those there are: ${[...KNOWN].join(', ')}.`,
    );
  }
  const connection = parseConnection(options.connection ?? env['TASK_QUEUE_URL'] ?? embeddedDefault(env));
  const defaults = options.defaults ?? {};
  // Their values are checked once here, rather than at each task that uses them.
  defineFrom(defaults, {}, 'defaults');
  return {
    connection,
    prefix: resolvePrefix(options.prefix ?? (env['TASK_QUEUE_PREFIX'] || 'tasks'), connection),
    role: resolveRole(options.role, env['TASK_QUEUE_ROLE']),
    queues: resolveQueues(options.queues ?? {}),
    consume: resolveConsume(options.consume, env['TASK_QUEUE_CONSUME']),
    defaults,
    retention: {
      ttl: parseDuration(options.results?.ttl ?? '1d', 'results.ttl'),
      failedTtl: parseDuration(options.results?.failedTtl ?? '7d', 'results.failedTtl'),
    },
    http: options.http ?? {},
    enhancers: { global: resolveGlobal(options.enhancers?.global ?? true) },
    maxPayload: wholeNumber(options.maxPayload ?? 1024 * 1024, 'maxPayload', 'bytes'),
    enqueueTimeout: parseDuration(options.enqueueTimeout ?? '5s', 'enqueueTimeout'),
    abandonedAfter: resolveAbandonedAfter(options.abandonedAfter ?? '30s'),
    grace: parseDuration(options.shutdown?.grace ?? '30s', 'shutdown.grace'),
  };
}

function resolveAbandonedAfter(value: Duration): number {
  const milliseconds = parseDuration(value, 'abandonedAfter');
  if (milliseconds >= 1_000) return milliseconds;
  throw new ConfigurationError(
    `abandonedAfter is ${JSON.stringify(value)}. Give at least '1s': a busy process may need as long for its sign of life.`,
  );
}

function embeddedDefault(env: NodeJS.ProcessEnv): string {
  return env['NODE_ENV'] === 'test' ? 'pglite:' : 'pglite:.task-queue';
}

function resolvePrefix(prefix: string, { kind }: Connection): string {
  const [pattern, rule] =
    kind === 'redis'
      ? [/^[\w{}:.-]{1,100}$/, 'up to 100 letters, digits and any of _ - . : { }']
      : [/^[A-Za-z_][A-Za-z0-9_$]{0,62}$/, 'a schema name: up to 63 letters, digits and _, not beginning with a digit'];
  if (pattern.test(prefix)) return prefix;
  throw new ConfigurationError(`prefix is ${JSON.stringify(prefix)}. Use ${rule}.`);
}

function resolveRole(option: string | undefined, variable: string | undefined): Role {
  const role = option ?? (variable || 'both');
  if (role === 'both' || role === 'producer' || role === 'worker') return role;
  throw new ConfigurationError(
    `${option === undefined ? 'TASK_QUEUE_ROLE' : 'role'} is ${JSON.stringify(role)}. Use 'both', 'producer' or 'worker'.`,
  );
}

function resolveQueues(queues: Readonly<Record<string, QueueOptions>>): Map<string, ResolvedQueue> {
  const resolved = new Map<string, ResolvedQueue>([[DEFAULT_QUEUE, QUEUE_DEFAULTS]]);
  for (const [name, options] of Object.entries(queues)) {
    checkQueueName(name, 'The name of a queue in the option queues');
    const { concurrency = QUEUE_DEFAULTS.concurrency, priorities = QUEUE_DEFAULTS.priorities, rateLimit } = options;
    const option = `queues.${name}`;
    resolved.set(name, {
      concurrency: wholeNumber(concurrency, `${option}.concurrency`, 'tasks at once'),
      priorities,
      ...(rateLimit && {
        rateLimit: {
          max: wholeNumber(rateLimit.max, `${option}.rateLimit.max`, 'tasks'),
          per: wholeNumber(
            parseDuration(rateLimit.per, `${option}.rateLimit.per`),
            `${option}.rateLimit.per`,
            'milliseconds',
          ),
        },
      }),
    });
  }
  return resolved;
}

function resolveConsume(option: TaskQueueOptions['consume'], variable: string | undefined): '*' | readonly string[] {
  const names =
    option ??
    (variable
      ? variable
          .split(',')
          .map((name) => name.trim())
          .filter(Boolean)
      : '*');
  if (names === '*' || (Array.isArray(names) && names.length === 1 && names[0] === '*')) return '*';
  if (!Array.isArray(names)) {
    throw new ConfigurationError(`consume is ${JSON.stringify(names)}. Use '*' or a list of queue names.`);
  }
  const source = option ? 'consume' : 'TASK_QUEUE_CONSUME';
  return names.map((name: string) => checkQueueName(name, `A queue in ${source}`));
}

function resolveGlobal(global: boolean): boolean {
  if (typeof global === 'boolean') return global;
  throw new ConfigurationError(`enhancers.global is ${JSON.stringify(global)}. Use true (default) or false.`);
}

function wholeNumber(value: number, option: string, unit: string): number {
  if (Number.isInteger(value) && value >= 1) return value;
  throw new ConfigurationError(`${option} is ${String(value)}. Give a whole number of ${unit}, at least 1.`);
}
