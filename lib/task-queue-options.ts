import { applicationName } from './application-name.js';
import type { Duration } from './duration.js';
import { parseDuration, parseTimerDuration } from './duration.js';
import { checkObject } from './option-fields.js';
import type { GlobalEnhancers, QueueOptions, Role, TaskQueueOptions } from './module-options.js';
import { checkOptionNames } from './option-groups.js';
import { parseConnection, type Connection } from './engine/connection.js';
import { ConfigurationError } from './errors.js';
import type { HttpOptions } from './http/http-options.js';
import type { Topology } from './engine/shards/topology.js';
import { resolveShards, type ResolvedShard } from './shard-options.js';
import { resolveIsolation, type ResolvedIsolation } from './isolation/isolation-options.js';
import { resolveOutbox, type ResolvedOutbox } from './transactions/outbox/outbox-options.js';
import type { WorkerSettings } from './workers/worker-process.js';
import { checkQueueName, DEFAULT_QUEUE, defineFrom } from './tasks/task-definition.js';
import { refuseOwnOptions } from './tasks/task.decorator.js';
import type { TaskOptions } from './tasks/task-options.js';
import type { TransactionLike } from './transactions/transaction-adapter.js';

export type { GlobalEnhancers, QueueOptions, Role, TaskQueueOptions } from './module-options.js';

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
  const variable = (name: string) => env[`TASK_QUEUE_${name}`]?.trim() || undefined;
  const named = options.connection ?? variable('URL');
  const directUrl = variable('DIRECT_URL');
  const connection = parseConnection(named ?? defaultConnection(env), directUrl);
  const prefix = resolvePrefix(options.prefix ?? variable('PREFIX') ?? 'tasks', connection);
  const places = resolveShards(options.shards, {
    ...{ connection, prefix, directUrl, checkPrefix: resolvePrefix },
    shardOfQueue: shardOfQueue(options.queues ?? {}),
    areMerged: isTest || (named === undefined && connection.kind === 'memory'),
  });
  for (const place of [{ connection }, ...places.shards])
    if (worker) checkProcesses(worker.processes, place.connection);
  const role = worker ? 'worker' : isChild ? 'producer' : resolveRole(options.role, variable('ROLE'));
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
    mayMigrate: resolveMigrations(options.migrations, variable('MIGRATIONS')),
    role,
    queues: resolveQueues(options.queues ?? {}),
    concurrency: worker?.concurrency,
    consume: resolveConsume(consume, variable('CONSUME'), source),
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
    application: resolveApplication(options.application ?? variable('APPLICATION') ?? applicationName()),
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
  const role = option ?? variable ?? 'both';
  if (role === 'both' || role === 'producer' || role === 'worker') return role;
  throw new ConfigurationError(
    `${option === undefined ? 'TASK_QUEUE_ROLE' : 'role'} is ${JSON.stringify(role)}. Use 'both', 'producer' or 'worker'.`,
  );
}

function resolveMigrations(option: string | undefined, variable: string | undefined): boolean {
  const migrations = option ?? variable ?? 'auto';
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
  const named = variable
    ?.split(',')
    .map((name) => name.trim())
    .filter(Boolean);
  if (option === undefined && named?.length === 0)
    throw new ConfigurationError(
      `TASK_QUEUE_CONSUME is ${JSON.stringify(variable)}. Name the queues, with commas between them.`,
    );
  const names = option ?? named ?? '*';
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
