import type { Cluster, ClusterOptions, Redis, RedisOptions } from 'ioredis';
import { isReadOnly } from './answer-code.js';

export type RedisClient = Redis | Cluster;

/** The options of every client that this package opens, unless the application sets others. */
const DEFAULTS = {
  // Milliseconds. ioredis waits for 10 s.
  connectTimeout: 5_000,
  // Milliseconds. ioredis destroys a connection that does not end by itself after 2 s. It also waits for the end of one that has ended
  // before, so the process of a closed application would live for so long while the server is away.
  disconnectTimeout: 200,
  // Sentinel: leaves the old primary as soon as a sentinel reports the new one. By itself, ioredis stays until the old
  // primary closes the connection, some ten seconds later. Tasks that it acknowledges until then are lost.
  failoverDetector: true,
} as const;

/** At most 1 s between two attempts to connect, and for ever: a worker has no operator who restarts it. */
const retryStrategy = (times: number) => Math.min(times * 100, 1_000);

/**
 * The options of every client that this package opens, whatever the application sets: without them, tasks would be lost
 * or would never run. Options that are not listed stay as the application sets them.
 */
const OWN_OPTIONS = {
  retryStrategy,
  // After a failover the old primary takes no more writes. ioredis keeps the connection to it; connecting again (1)
  // finds the new primary.
  reconnectOnError: (error: Error) => (isReadOnly(error) ? 1 : false),
  sentinelRetryStrategy: retryStrategy,
  // `cutWhenSilent` does this work.
  socketTimeout: undefined,
  // A timeout on this side gives up a command that takes a job or its marker on the server, and the job is lost.
  blockingTimeout: undefined,
  // BullMQ reads numbers, arrays and the classic form of answers.
  stringNumbers: false,
  replyMapping: 'legacy',
  // BullMQ computes keys in scripts. The option `prefix` contains the value of the application: see `joinPrefixes`.
  keyPrefix: '',
  // Commands are sent in the order in which they are called.
  enableAutoPipelining: false,
  autoResubscribe: true,
  // Every client writes.
  monitor: false,
  readOnly: false,
  role: 'master',
} as const;

/**
 * The options of a client for commands that a caller waits for. A command fails at once while there is no connection.
 * By itself, ioredis keeps the command and sends it after it has connected again, long after the caller got an error.
 */
const COMMAND_OPTIONS = {
  ...OWN_OPTIONS,
  lazyConnect: true,
  maxRetriesPerRequest: 0,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
} as const;

/** The options of a client for BullMQ's workers: ioredis keeps their commands and tries for ever. */
const WORKER_OPTIONS = {
  ...OWN_OPTIONS,
  // ioredis connects again and repeats the command (2) on the new primary.
  reconnectOnError: (error: Error) => (isReadOnly(error) ? 2 : false),
  lazyConnect: false,
  maxRetriesPerRequest: null,
  enableOfflineQueue: true,
  autoResendUnfulfilledCommands: true,
  // A worker waits for a job for seconds in one command.
  commandTimeout: undefined,
} as const;

/** Milliseconds without an answer after which an open connection for commands counts as broken. */
export const COMMAND_SILENCE_LIMIT = 10_000;
/** The same for the connections of workers. It is longer than the 5 s for which a worker waits for a job at most. */
export const WORKER_SILENCE_LIMIT = 7_000;

/** The options of a client for commands, from the options of the application. */
export function commandOptions(options: RedisOptions): RedisOptions {
  return { ...DEFAULTS, ...options, ...COMMAND_OPTIONS };
}

/** The same from a URL, whose parameters are options too. */
export function openWithUrl(RedisClass: typeof Redis, url: string): Redis {
  // ioredis takes any number of sources, of which an earlier one takes precedence, and declares fewer.
  const AnySources = RedisClass as unknown as new (...sources: (RedisOptions | string)[]) => Redis;
  return new AnySources(COMMAND_OPTIONS, url, DEFAULTS);
}

/** The same for a cluster. */
export function clusterCommandOptions({ redisOptions, ...options }: ClusterOptions): ClusterOptions {
  return {
    ...options,
    ...CLUSTER_OPTIONS,
    ...WITHOUT_REPEATS,
    lazyConnect: true,
    enableOfflineQueue: false,
    redisOptions: { ...DEFAULTS, ...redisOptions, ...COMMAND_OPTIONS, socketTimeout: COMMAND_SILENCE_LIMIT },
  };
}

/** Opens a copy of a client for BullMQ's workers or for messages. @param ofCluster further options of a cluster's client */
export function openWorkerCopy(client: RedisClient, ofCluster: ClusterOptions = {}): RedisClient {
  if (!('nodes' in client)) return client.duplicate(WORKER_OPTIONS);
  return client.duplicate([], {
    ...CLUSTER_OPTIONS,
    ...WITH_REPEATS,
    ...ofCluster,
    lazyConnect: false,
    enableOfflineQueue: true,
    redisOptions: { ...client.options.redisOptions, ...WORKER_OPTIONS, socketTimeout: WORKER_SILENCE_LIMIT },
  });
}

/** Opens a copy of the application's client for commands, when the client itself {@link isUnfit}. */
export function openCommandCopy(client: RedisClient, Connector: RedisOptions['Connector']): RedisClient {
  if ('nodes' in client) return client.duplicate([], clusterCommandOptions(client.options));
  const withSentinels = client.options.sentinels ? { Connector, failoverDetector: true } : {};
  return client.duplicate({ ...commandOptions(client.options), ...withSentinels });
}

/**
 * Whether a client of the application has options with which BullMQ would misread its answers, or with which it would
 * write to the wrong server.
 */
export function isUnfit(client: RedisClient): boolean {
  const isCluster = 'nodes' in client;
  const options: RedisOptions & ClusterOptions = isCluster
    ? { ...client.options.redisOptions, ...client.options }
    : client.options;
  const { replyMapping, role, scaleReads } = options;
  return (
    Boolean(options.stringNumbers || options.keyPrefix || options.enableAutoPipelining) ||
    Boolean(options.monitor || options.readOnly || options.sentinels) ||
    replyMapping === 'resp3' ||
    role === 'slave' ||
    (scaleReads !== undefined && scaleReads !== 'master')
  );
}

/** The prefix of all keys: ioredis would put its `keyPrefix` in front of the prefix of this package. */
export function joinPrefixes({ keyPrefix }: { readonly keyPrefix?: unknown }, prefix: string): string {
  return `${typeof keyPrefix === 'string' ? keyPrefix : ''}${prefix}`;
}

/** The options of every cluster, whatever the application sets. */
const CLUSTER_OPTIONS = {
  clusterRetryStrategy: retryStrategy,
  // A replica may not have yet what was stored a moment ago.
  scaleReads: 'master',
  keyPrefix: '',
  enableAutoPipelining: false,
} as const;

/**
 * A cluster's client for commands does not repeat a command after its node is lost. ioredis would send it after its caller has got an
 * error; the caller itself repeats the call.
 */
const WITHOUT_REPEATS = { retryDelayOnFailover: 0, retryDelayOnClusterDown: 0 } as const;

/** A cluster's client for workers repeats a command until another node has taken over: milliseconds between two attempts. */
const WITH_REPEATS = { retryDelayOnFailover: 100, retryDelayOnClusterDown: 100 } as const;

/**
 * A cluster's client receives messages from one node, and moves to another node when the first one leaves. It asks for the nodes every
 * 10 s, because a frozen node ends no connection.
 */
export const SUBSCRIBER_OPTIONS = { slotsRefreshInterval: 10_000 } as const;
