import { applicationName } from './application-name.js';
import type { Duration } from './duration.js';
import { parseDuration, parseTimerDuration } from './duration.js';
import { checkObject } from './option-fields.js';
import { checkOptionNames } from './option-groups.js';
import { parseConnection, type Connection, type ConnectionOption } from './engine/connection.js';
import { ConfigurationError } from './errors.js';
import type { HttpOptions } from './http/http-options.js';
import type { Topology } from './engine/shards/topology.js';
import { resolveShards, type ResolvedShard, type ShardOptions } from './shard-options.js';
import { resolveIsolation, type IsolationOptions, type ResolvedIsolation } from './isolation/isolation-options.js';
import { resolveOutbox, type OutboxOptions, type ResolvedOutbox } from './transactions/outbox/outbox-options.js';
import type { WorkerSettings } from './workers/worker-process.js';
import { checkQueueName, DEFAULT_QUEUE, defineFrom } from './tasks/task-definition.js';
import { refuseOwnOptions } from './tasks/task.decorator.js';
import type { SharedTaskOptions, TaskOptions } from './tasks/task-options.js';
import type { TransactionLike } from './transactions/transaction-adapter.js';

/**
 * The role of a process:
 *
 * - `both`: the process enqueues tasks and runs them.
 * - `producer`: the process enqueues tasks and waits for them, but runs none.
 * - `worker`: the process runs tasks, and may enqueue them too. It serves no status over HTTP, unless the option `http` is set.
 */
export type Role = 'both' | 'producer' | 'worker';

/** The options of one queue. */
export interface QueueOptions {
  /** How many tasks of the queue one process runs at the same time: a whole number, at least 1. Default: 10. */
  readonly concurrency?: number;
  /**
   * How many tasks of the queue run at the same time in all processes together: a whole number, at least 1. The number of the worker
   * that started last applies, unless `TaskAdmin.setGlobalConcurrency()` has set another one. A process that dies gives its places
   * back after `abandonedAfter`. In a queue with batches it counts the runs of the method. Default: no limit.
   */
  readonly globalConcurrency?: number;
  /**
   * Starts at most `max` tasks in each period `per`. The limit applies to all workers of the queue together. Default:
   * no limit.
   */
  readonly rateLimit?: { readonly max: number; readonly per: Duration };
  /**
   * The most tasks that wait in the queue: queued, scheduled and retrying ones, of all processes. Enqueueing more throws
   * `QueueFullError` and stores nothing of the call. A whole number, at least 1. Default: no limit.
   *
   * A process counts the tasks once a second, or once it has used up a tenth of the room, so several processes may exceed the
   * limit together by what they store between two counts. Retries, callbacks, later steps of workflows, and the repetition of a call
   * that is stored already are never refused. A tick of a schedule is left out, with `QUEUE_FULL` as the reason in `lastSkip`.
   */
  readonly maxQueued?: number;
  /** Whether tasks of the queue may have a `priority`. Sorting costs a little with every task. Default: `false`. */
  readonly priorities?: boolean;
  /** The shard in which the queue is: a name of the option `shards`. Default: `'default'`, the place that `connection` names. */
  readonly shard?: string;
}

/** Which kinds of the application's own enhancers run around tasks. Default of each: `true`. */
export interface GlobalEnhancers {
  readonly guards?: boolean;
  readonly interceptors?: boolean;
  readonly pipes?: boolean;
  readonly filters?: boolean;
}

/**
 * The options of `TaskQueueModule.forRoot()`. Every option has a default. A wrong value makes the start of the
 * application fail with a `ConfigurationError` that names the option. Options take precedence over environment
 * variables.
 */
export interface TaskQueueOptions {
  /**
   * The server or the database in which tasks are stored:
   *
   * - a URL, as text or as a `URL`: `redis://`, `rediss://` (with TLS), `postgres://` or `postgresql://`
   * - `pglite:<folder>`: the embedded engine, on disk. The folder is relative to the working directory.
   * - `pglite:`: the embedded engine, in memory
   * - `memory:`: an engine in plain JavaScript that stores nothing, for tests. `memory:<name>` is shared by all
   *   applications of the process that use the name. Applications cannot inject BullMQ's own queues there.
   * - the options of ioredis, of its `Cluster`, or of `pg.Pool`
   * - an ioredis client or a pg pool of the application, which this package never closes
   *
   * Default: the environment variable `TASK_QUEUE_URL`, else `pglite:.task-queue`; under Jest, Vitest and Node's test
   * runner, `memory:`; under `NODE_ENV=test` without one of them, `pglite:`.
   *
   * @example 'redis://:password@localhost:6379/0'
   */
  readonly connection?: ConnectionOption;
  /**
   * The namespace of all stored data: the prefix of the keys on Redis, the schema on PostgreSQL and in the embedded
   * engine. Applications with different prefixes share nothing. Default: `TASK_QUEUE_PREFIX`, else `tasks`.
   */
  readonly prefix?: string;
  /**
   * Whether this process may create and change the tables in PostgreSQL when it starts:
   *
   * - `'auto'`: it creates and updates them, if its role may.
   * - `'check'`: it only checks them. When they are missing or too old, the start fails with a `ConfigurationError` that
   *   names the command of the deploy: `npx nestjs-task-queue migrate`.
   *
   * The other engines have no tables of a server, so the option means nothing there. Default: `TASK_QUEUE_MIGRATIONS`, else `'auto'`.
   */
  readonly migrations?: 'auto' | 'check';
  /**
   * Further places for tasks, by name: queues may be on several servers, or spread over the nodes of a Redis Cluster. A queue names
   * its shard with `queues: { <queue>: { shard } }`; the others are in the default shard, the place that `connection` names. All
   * processes need the same shards. A workflow stays within one shard. Default: none.
   *
   * @example { shards: { media: { connection: 'redis://second' } }, queues: { thumbnails: { shard: 'media' } } }
   */
  readonly shards?: Readonly<Record<string, ShardOptions>>;
  /** What this process does. Default: `TASK_QUEUE_ROLE`, else `both`. */
  readonly role?: Role;
  /** The options of queues, by name. A queue that is missing here has the defaults. */
  readonly queues?: Readonly<Record<string, QueueOptions>>;
  /**
   * The queues whose tasks this process runs: a list of names, or `'*'` for all queues that have a task in this
   * process. Default: `TASK_QUEUE_CONSUME` (names separated by commas), else `'*'`.
   */
  readonly consume?: '*' | readonly string[];
  /**
   * The database of the application's transactions, for `.in(tx)` where tasks are stored elsewhere: in Redis, in an embedded
   * folder, or in another PostgreSQL database. A call in a transaction is stored in the table `task_outbox` of that database,
   * and the processes with this option move it to the tasks after the commit. `npx nestjs-task-queue outbox` prints the table.
   * Default: none.
   *
   * @example outbox: { connection: 'postgres://app:password@localhost:5432/shop' }
   */
  readonly outbox?: OutboxOptions;
  /**
   * The child processes that run tasks with the option `isolate`. Each boots the same application, without HTTP, and with the variable
   * `TASK_QUEUE_ISOLATED` in its environment. `false`: such tasks run in this process as any other, for debugging. The guide is
   * docs/isolation.md. Default: two processes for the tasks, and an application only in the worker command.
   *
   * @example isolation: { app: new URL('./app.module.js', import.meta.url), export: 'AppModule', processes: 2, maxTasks: 100 }
   */
  readonly isolation?: false | IsolationOptions;
  /** The options of every task that does not set them itself. Default: none. */
  readonly defaults?: SharedTaskOptions;
  /**
   * How long the record of a final task is kept: `ttl` for a succeeded task, `failedTtl` for any other final state.
   * Default: `{ ttl: '1d', failedTtl: '7d' }`.
   */
  readonly results?: { readonly ttl?: Duration; readonly failedTtl?: Duration };
  /**
   * `keep` is how many lines of `TaskContext.log()` are kept of each task: the last ones. A whole number from 1 to 100,000.
   * Default: `{ keep: 1_000 }`.
   */
  readonly logs?: { readonly keep?: number };
  /**
   * Statistics of tasks, for `TaskAdmin.stats()`: `keep` is the time for which they are kept, at least `'1h'`. `false`: this process
   * counts nothing. Default: `{ keep: '7d' }`.
   */
  readonly stats?: false | { readonly keep?: Duration };
  /** The options of the HTTP endpoint that serves tasks, or `false` for no endpoint. Default: `{ path: 'tasks' }`. */
  readonly http?: false | HttpOptions;
  /**
   * Whether the guards, pipes, interceptors and filters of the whole application (`APP_GUARD` and its like,
   * `useGlobalGuards()` and its like) run around tasks too, as they run around routes. Many of them are written for
   * HTTP: then set `global: false`, or leave out single kinds. Enhancers that decorators bind to a task or its class
   * always run. Default: `{ global: true }`.
   *
   * @example enhancers: { global: { guards: false } } // interceptors, pipes and filters run
   */
  readonly enhancers?: { readonly global?: boolean | GlobalEnhancers };
  /** The most bytes of JSON for the arguments of a task, its result, and a progress report, each. Default: 1 MiB. */
  readonly maxPayload?: number;
  /** A call that cannot reach the engine fails with `EngineUnavailableError` after this time. Default: `'5s'`. */
  readonly enqueueTimeout?: Duration;
  /**
   * A worker that gives no sign of life for this time counts as dead, and its tasks run again elsewhere. It must be
   * longer than the event loop of a worker is ever blocked, and at least 1 s. Default: `'30s'`.
   */
  readonly abandonedAfter?: Duration;
  /**
   * `grace` is the time for which running tasks may go on after the application begins to close. Then their signals are
   * aborted, and the tasks run again elsewhere; a task with the delivery `at-most-once` fails instead. Default:
   * `{ grace: '30s' }`; in tests (`NODE_ENV=test`, or a test runner) `{ grace: '1s' }`.
   */
  readonly shutdown?: { readonly grace?: Duration };
  /**
   * The name of this application, in log lines and for its decorated schedules: applications with different names that share
   * a queue leave each other's schedules alone, and versions of one application replace each other's. Default:
   * `TASK_QUEUE_APPLICATION`, else the `name` in the package.json of the working directory or of the nearest folder above it.
   */
  readonly application?: string;
  /**
   * Returns the transaction that is open where it is called, or `undefined`. Every call of a producer or signature then joins
   * that transaction as with `.in(transaction)`, unless it is made with `.outside()`. What this package enqueues itself joins
   * none: ticks of schedules, later steps of workflows, retries. Default: no call joins a transaction by itself.
   *
   * @example transaction: () => TransactionHost.getInstance().isTransactionActive() ? TransactionHost.getInstance().tx : undefined
   */
  readonly transaction?: () => TransactionLike | undefined;
}

/** The options of a queue, checked and complete. Durations are milliseconds. */
export interface ResolvedQueue {
  readonly concurrency: number;
  readonly rateLimit?: { readonly max: number; readonly per: number };
  readonly maxQueued?: number;
  readonly globalConcurrency?: number;
  readonly priorities: boolean;
}

/** The options of the module, checked and complete. Durations are milliseconds. */
export interface ResolvedOptions {
  readonly connection: Connection;
  /** Whether neither the option `connection` nor `TASK_QUEUE_URL` is set. */
  readonly isDefaultConnection: boolean;
  readonly prefix: string;
  /** The shards beside the default one that have an engine of their own. */
  readonly shards: readonly ResolvedShard[];
  readonly topology: Topology;
  readonly mayMigrate: boolean;
  readonly role: Role;
  readonly queues: ReadonlyMap<string, ResolvedQueue>;
  /** Takes precedence over the `concurrency` of each queue. Set by the command `worker` only. */
  readonly concurrency: number | undefined;
  readonly consume: '*' | readonly string[];
  /** Where `consume` comes from, for messages. */
  readonly consumeSource: string;
  readonly outbox: ResolvedOutbox | undefined;
  /** `undefined`: isolated tasks run in this process. */
  readonly isolation: ResolvedIsolation | undefined;
  /** This process is a child for isolated tasks: it opens no engine, and its parent takes the tasks. */
  readonly isChild: boolean;
  readonly defaults: TaskOptions;
  readonly retention: { readonly ttl: number; readonly failedTtl: number };
  readonly logLines: number;
  readonly keepStatistics: number | false;
  readonly http: false | HttpOptions;
  readonly enhancers: { readonly global: Required<GlobalEnhancers> };
  readonly maxPayload: number;
  readonly enqueueTimeout: number;
  readonly abandonedAfter: number;
  readonly grace: number;
  readonly application: string | undefined;
  readonly transaction: () => TransactionLike | undefined;
}

export const QUEUE_DEFAULTS: ResolvedQueue = { concurrency: 10, priorities: false };

/**
 * Checks the options and adds defaults and environment variables.
 *
 * @param worker of the command `worker`; they take precedence over the options
 * @param isTest whether the testing kit has replaced the connection, so that all shards are in its memory
 * @param isChild this process is a child for isolated tasks, which takes no tasks from queues
 * @throws ConfigurationError with the option, the value and the cure
 */
export function resolveOptions(
  options: TaskQueueOptions,
  env: NodeJS.ProcessEnv = process.env,
  worker?: WorkerSettings,
  isTest = false,
  isChild = false,
): ResolvedOptions {
  checkOptionNames(options);
  const named = options.connection ?? (env['TASK_QUEUE_URL']?.trim() || undefined);
  const directUrl = env['TASK_QUEUE_DIRECT_URL']?.trim();
  const connection = parseConnection(named ?? defaultConnection(env), directUrl);
  const prefix = resolvePrefix(options.prefix ?? (env['TASK_QUEUE_PREFIX'] || 'tasks'), connection);
  const places = resolveShards(options.shards, {
    ...{ connection, prefix, directUrl, checkPrefix: resolvePrefix },
    shardOfQueue: shardOfQueue(options.queues ?? {}),
    areMerged: isTest || (named === undefined && connection.kind === 'memory'),
  });
  for (const place of [{ connection }, ...places.shards])
    if (worker) checkProcesses(worker.processes, place.connection);
  const role = worker ? 'worker' : isChild ? 'producer' : resolveRole(options.role, env['TASK_QUEUE_ROLE']);
  const consume = worker?.queues ?? options.consume;
  const source = worker?.queuesFrom ?? consumeSource(options.consume);
  const defaults = options.defaults ?? {};
  // Checks the values once here, so that an error names `defaults` and not a task that uses them.
  checkObject(defaults, 'defaults', 'Give the options that all tasks share: defaults: { retries: 3 }.');
  refuseOwnOptions(defaults, 'defaults');
  defineFrom(defaults, {}, 'defaults');
  return {
    connection,
    isDefaultConnection: named === undefined,
    prefix,
    ...places,
    mayMigrate: resolveMigrations(options.migrations, env['TASK_QUEUE_MIGRATIONS']),
    role,
    queues: resolveQueues(options.queues ?? {}),
    concurrency: worker?.concurrency,
    consume: resolveConsume(consume, env['TASK_QUEUE_CONSUME'], source),
    consumeSource: source,
    outbox: resolveOutbox(options.outbox),
    isolation: resolveIsolation(options.isolation ?? {}, worker?.application),
    isChild,
    defaults,
    retention: {
      ttl: parseDuration(options.results?.ttl ?? '1d', 'results.ttl'),
      failedTtl: parseDuration(options.results?.failedTtl ?? '7d', 'results.failedTtl'),
    },
    logLines: resolveLogLines(options.logs?.keep ?? 1_000),
    keepStatistics: resolveStatistics(options.stats ?? {}),
    http: options.http ?? (role === 'worker' || isChild ? false : {}),
    enhancers: { global: resolveGlobal(options.enhancers?.global ?? true) },
    maxPayload: wholeNumber(options.maxPayload ?? 1024 * 1024, 'maxPayload', 'bytes'),
    enqueueTimeout: resolveEnqueueTimeout(options.enqueueTimeout ?? '5s'),
    abandonedAfter: resolveAbandonedAfter(options.abandonedAfter ?? '30s'),
    grace: parseTimerDuration(worker?.grace ?? options.shutdown?.grace ?? defaultGrace(env), 'shutdown.grace'),
    application: resolveApplication(options.application ?? (env['TASK_QUEUE_APPLICATION'] || applicationName())),
    transaction: resolveTransaction(options.transaction),
  };
}

function resolveTransaction(transaction: TaskQueueOptions['transaction']): () => TransactionLike | undefined {
  if (transaction === undefined) return () => undefined;
  if (typeof transaction === 'function') return transaction;
  throw new ConfigurationError(
    `transaction is ${JSON.stringify(transaction)}. Give a function that returns the open transaction, or undefined.`,
  );
}

function checkProcesses(processes: number, connection: Connection): void {
  if (processes === 1 || connection.kind === 'redis' || connection.kind === 'postgres') return;
  const where = connection.kind === 'embedded' && connection.folder !== undefined ? connection.folder : undefined;
  throw new ConfigurationError(
    `--processes is ${processes}, but ${where === undefined ? 'tasks are in the memory of one process' : `one process alone can open the folder ${where} of the embedded engine`}. ` +
      'Use one process, or a server that processes can share: TASK_QUEUE_URL=redis://… or postgres://….',
  );
}

function resolveStatistics(stats: false | { readonly keep?: Duration }): number | false {
  if (stats === false) return false;
  const keep = parseDuration(stats.keep ?? '7d', 'stats.keep');
  if (keep >= 3_600_000) return keep;
  throw new ConfigurationError(`stats.keep is ${JSON.stringify(stats.keep)}. Give at least '1h', or stats: false.`);
}

function resolveLogLines(keep: number): number {
  if (Number.isInteger(keep) && keep >= 1 && keep <= 100_000) return keep;
  throw new ConfigurationError(`logs.keep is ${JSON.stringify(keep)}. Give a whole number of lines from 1 to 100,000.`);
}

function resolveApplication(name: string | undefined): string | undefined {
  if (name === undefined || (typeof name === 'string' && /^[^\p{Cc}]{1,200}$/u.test(name))) return name;
  throw new ConfigurationError(`application is ${JSON.stringify(name)}. Give a name of 1 to 200 characters.`);
}

function resolveEnqueueTimeout(value: Duration): number {
  const milliseconds = parseTimerDuration(value, 'enqueueTimeout');
  if (milliseconds > 0) return milliseconds;
  throw new ConfigurationError(
    `enqueueTimeout is ${JSON.stringify(value)}, so every call would fail. Give at least 1 ms.`,
  );
}

function resolveAbandonedAfter(value: Duration): number {
  const milliseconds = parseTimerDuration(value, 'abandonedAfter');
  if (milliseconds >= 1_000) return milliseconds;
  throw new ConfigurationError(
    `abandonedAfter is ${JSON.stringify(value)}. Give at least '1s': a busy process may need that long to give a sign of life.`,
  );
}

/** The variables that Jest, Vitest and Node's test runner set in the processes that run tests. */
const TEST_RUNNERS = ['JEST_WORKER_ID', 'VITEST', 'NODE_TEST_CONTEXT'] as const;

function hasTestRunner(env: NodeJS.ProcessEnv): boolean {
  return TEST_RUNNERS.some((variable) => env[variable]);
}

/** A test that closes its application while a task hangs has not the time that a deploy has. */
function defaultGrace(env: NodeJS.ProcessEnv): Duration {
  return env['NODE_ENV'] === 'test' || hasTestRunner(env) ? '1s' : '30s';
}

function defaultConnection(env: NodeJS.ProcessEnv): string {
  if (hasTestRunner(env)) return 'memory:';
  return env['NODE_ENV'] === 'test' ? 'pglite:' : 'pglite:.task-queue';
}

const SCHEMA_NAME = [
  /^[A-Za-z_][A-Za-z0-9_$]{0,62}$/,
  'a schema name: up to 63 letters, digits and _, not beginning with a digit',
] as const;

const PREFIX_RULES: Readonly<Record<Connection['kind'], readonly [pattern: RegExp, rule: string]>> = {
  redis: [/^[\w{}:.-]{1,100}$/, 'up to 100 letters, digits and any of _ - . : { }'],
  postgres: SCHEMA_NAME,
  embedded: SCHEMA_NAME,
  // Every prefix of the other engines, so that a test may replace the connection alone.
  memory: [/^[\w{}:.$-]{1,100}$/, 'up to 100 letters, digits and any of _ - . : $ { }'],
};

function resolvePrefix(prefix: string, { kind }: Connection, option = 'prefix'): string {
  const [pattern, rule] = PREFIX_RULES[kind];
  if (typeof prefix === 'string' && pattern.test(prefix)) return prefix;
  throw new ConfigurationError(`${option} is ${JSON.stringify(prefix)}. Use ${rule}.`);
}

function resolveRole(option: string | undefined, variable: string | undefined): Role {
  const role = option ?? (variable || 'both');
  if (role === 'both' || role === 'producer' || role === 'worker') return role;
  throw new ConfigurationError(
    `${option === undefined ? 'TASK_QUEUE_ROLE' : 'role'} is ${JSON.stringify(role)}. Use 'both', 'producer' or 'worker'.`,
  );
}

function resolveMigrations(option: string | undefined, variable: string | undefined): boolean {
  const migrations = option ?? (variable || 'auto');
  if (migrations === 'auto' || migrations === 'check') return migrations === 'auto';
  throw new ConfigurationError(
    `${option === undefined ? 'TASK_QUEUE_MIGRATIONS' : 'migrations'} is ${JSON.stringify(migrations)}. Use 'auto' or 'check'.`,
  );
}

/** The queues that name a shard. */
function shardOfQueue(queues: Readonly<Record<string, QueueOptions>>): Map<string, string> {
  return new Map(Object.entries(queues).flatMap(([name, { shard }]) => (shard === undefined ? [] : [[name, shard]])));
}

function resolveQueues(queues: Readonly<Record<string, QueueOptions>>): Map<string, ResolvedQueue> {
  const resolved = new Map<string, ResolvedQueue>([[DEFAULT_QUEUE, QUEUE_DEFAULTS]]);
  for (const [name, options] of Object.entries(queues)) {
    checkQueueName(name, 'The name of a queue in the option queues');
    const {
      concurrency = QUEUE_DEFAULTS.concurrency,
      priorities = QUEUE_DEFAULTS.priorities,
      rateLimit,
      maxQueued,
      globalConcurrency,
    } = options;
    const option = `queues.${name}`;
    resolved.set(name, {
      concurrency: wholeNumber(concurrency, `${option}.concurrency`, 'tasks at once'),
      priorities: yesOrNo(priorities, `${option}.priorities`),
      ...(globalConcurrency !== undefined && {
        globalConcurrency: wholeNumber(globalConcurrency, `${option}.globalConcurrency`, 'tasks at once'),
      }),
      ...(maxQueued !== undefined && { maxQueued: wholeNumber(maxQueued, `${option}.maxQueued`, 'tasks') }),
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

function resolveConsume(
  option: TaskQueueOptions['consume'],
  variable: string | undefined,
  source: string,
): '*' | readonly string[] {
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
  return names.map((name: string) => checkQueueName(name, `A queue in ${source}`));
}

function consumeSource(option: TaskQueueOptions['consume']): string {
  return option ? 'the option consume' : 'TASK_QUEUE_CONSUME';
}

const ENHANCER_KINDS = ['guards', 'interceptors', 'pipes', 'filters'] as const;

function resolveGlobal(global: boolean | GlobalEnhancers): Required<GlobalEnhancers> {
  const given: unknown = global;
  if (typeof given === 'boolean') return { guards: given, interceptors: given, pipes: given, filters: given };
  const kinds: readonly string[] = ENHANCER_KINDS;
  const isValid =
    typeof given === 'object' &&
    given !== null &&
    Object.entries(given).every(([kind, value]) => kinds.includes(kind) && typeof value === 'boolean');
  if (isValid) return { guards: true, interceptors: true, pipes: true, filters: true, ...given };
  throw new ConfigurationError(
    `enhancers.global is ${JSON.stringify(given)}. Use true (default), false, or booleans for the kinds ${kinds.join(', ')}: { guards: false }.`,
  );
}

function yesOrNo(value: boolean, option: string): boolean {
  if (typeof value === 'boolean') return value;
  throw new ConfigurationError(`${option} is ${JSON.stringify(value)}. Give true or false.`);
}

function wholeNumber(value: number, option: string, unit: string): number {
  if (Number.isInteger(value) && value >= 1) return value;
  throw new ConfigurationError(`${option} is ${String(value)}. Give a whole number of ${unit}, at least 1.`);
}
