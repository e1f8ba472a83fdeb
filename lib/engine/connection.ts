import { ConfigurationError } from '../errors.js';
import { clusterOptionsOf, isClusterUrl } from './cluster-url.js';

/** An ioredis client of the application. This package uses it and never closes it. */
export interface RedisClientLike {
  readonly status: string;
  readonly duplicate: object;
  readonly defineCommand: object;
}

/** A pg pool of the application. This package uses it and never closes it. */
export interface PostgresPoolLike {
  readonly connect: object;
  readonly query: object;
  readonly totalCount: number;
}

/** The options of ioredis, or of its `Cluster` when they contain `nodes`. */
export interface RedisConnectionOptions {
  readonly host?: string;
  readonly port?: number;
  readonly nodes?: { readonly host: string; readonly port: number }[];
  readonly [option: string]: unknown;
}

/** The options of `pg.Pool`. An object with `connectionString`, `database` or `user` counts as such. */
export interface PostgresConnectionOptions {
  readonly connectionString?: string;
  /**
   * The URL of the same database without the pooler that `connectionString` names, or of a pooler in session mode. The
   * process listens for notifications on it. Default: the environment variable `TASK_QUEUE_DIRECT_URL`, else the
   * connections of `connectionString`.
   */
  readonly directUrl?: string;
  readonly database?: string;
  readonly user?: string;
  readonly [option: string]: unknown;
}

/** The values of the option `connection`. */
export type ConnectionOption =
  | string
  | URL
  | RedisConnectionOptions
  | PostgresConnectionOptions
  | RedisClientLike
  | PostgresPoolLike;

/** The option `connection`, parsed. */
export type Connection = DatabaseConnection | MemoryConnection;

/** In plain JavaScript. Applications of one process that give the same name share their tasks. */
export interface MemoryConnection {
  readonly kind: 'memory';
  readonly name?: string;
}

/** A database that BullMQ runs on. */
export type DatabaseConnection =
  | {
      readonly kind: 'redis';
      readonly url?: string;
      readonly options?: RedisConnectionOptions;
      readonly client?: RedisClientLike;
    }
  | {
      readonly kind: 'postgres';
      readonly url?: string;
      readonly options?: PostgresConnectionOptions;
      readonly pool?: PostgresPoolLike;
      /** Leads around a pooler on which LISTEN does not work. */
      readonly directUrl?: string;
    }
  /** Without a folder, the database is in memory. */
  | { readonly kind: 'embedded'; readonly folder?: string };

const CURE =
  'Use redis://host:6379, rediss://..., redis+cluster://node-1:6379,node-2:6379, postgres://user:password@host:5432/database, ' +
  'pglite:<folder>, pglite: (in memory) ' +
  'or memory: (for tests), in the option connection or in TASK_QUEUE_URL. Percent-encode special characters of the password.';

/**
 * Finds out which engine the option `connection` means.
 *
 * @param directUrl the default of {@link PostgresConnectionOptions.directUrl}
 * @throws ConfigurationError with the value, without its password, when it means none
 */
export function parseConnection(value: ConnectionOption, directUrl?: string): Connection {
  const connection = parseValue(value);
  if (connection.kind !== 'postgres' || connection.pool) return connection;
  const url = connection.options?.directUrl ?? (directUrl || undefined);
  if (url === undefined) return connection;
  if (/^postgres(?:ql)?:\/\//i.test(url) && URL.canParse(url)) return { ...connection, directUrl: url };
  throw new ConfigurationError(
    `directUrl (or TASK_QUEUE_DIRECT_URL) is "${withoutPassword(url)}". Give the postgres:// URL that leads to the server directly.`,
  );
}

function parseValue(value: ConnectionOption): Connection {
  if (typeof value === 'string') return parseUrl(value);
  // Its host and port would make it the options of Redis, whatever its protocol is.
  if (isUrl(value)) return parseUrl(value.href);
  if (typeof value !== 'object' || value === null) {
    throw new ConfigurationError(`connection is ${String(value)}. ${CURE}`);
  }
  if (isRedisClient(value)) return { kind: 'redis', client: value };
  if (isPostgresPool(value)) return { kind: 'postgres', pool: value };
  if ('connectionString' in value || 'database' in value || 'user' in value) {
    return { kind: 'postgres', options: value };
  }
  if (['host', 'port', 'path', 'nodes', 'sentinels'].some((key) => key in value)) {
    return { kind: 'redis', options: value };
  }
  throw new ConfigurationError(
    `connection is an object with ${Object.keys(value).join(', ') || 'no properties'}, which names neither a Redis nor a PostgreSQL server. ${CURE}`,
  );
}

function isUrl(value: unknown): value is URL {
  return Object.prototype.toString.call(value) === '[object URL]';
}

function parseUrl(url: string): Connection {
  if (url.startsWith('pglite:')) {
    const folder = url.slice('pglite:'.length).replace(/^\/\//, '');
    return folder === '' ? { kind: 'embedded' } : { kind: 'embedded', folder };
  }
  if (url.startsWith('memory:')) {
    const name = url.slice('memory:'.length).replace(/^\/\//, '');
    return name === '' ? { kind: 'memory' } : { kind: 'memory', name };
  }
  const options = isClusterUrl(url) ? clusterOptionsOf(url) : undefined;
  if (options) return { kind: 'redis', options };
  const scheme = /^([a-z]+):\/\//i.exec(url)?.[1]?.toLowerCase();
  const kind = scheme === undefined ? undefined : KIND_OF_SCHEME[scheme];
  if (!kind || !URL.canParse(url)) {
    throw new ConfigurationError(
      `connection is "${withoutPassword(url)}", which is not the URL of a supported server. ${CURE}`,
    );
  }
  return { kind, url };
}

const KIND_OF_SCHEME: Readonly<Record<string, 'redis' | 'postgres' | undefined>> = {
  redis: 'redis',
  rediss: 'redis',
  postgres: 'postgres',
  postgresql: 'postgres',
};

/**
 * The URL without user, password and parameters, cut to 200 characters, so that it may be logged. Everything before the
 * last `@` goes, because a password that is not percent-encoded may contain any character. So does everything from the first
 * character on that no host, port or path has: the text may be something else than a URL, with a password somewhere in it.
 */
export function withoutPassword(url: string): string {
  const scheme = SCHEME.exec(url)?.[0] ?? '';
  const address = url.slice(Math.max(scheme.length, url.lastIndexOf('@') + 1)).replace(/[?#].*$/s, '');
  const shown = ADDRESS.exec(address)?.[0] ?? '';
  return `${scheme}${shown}${shown.length < address.length ? '…' : ''}`.slice(0, 200);
}

/** What a URL begins with, and what a text begins with that is meant to be a URL of a known kind. */
const SCHEME =
  /^(?:[a-z][a-z0-9+.-]{0,30}:\/\/|(?:rediss?|postgres(?:ql)?|mysql|mariadb|mongodb|amqps?|memory|pglite):)/i;
const HOST = String.raw`(?:[\w.%-]+|\[[\da-f:.%]+\])(?::(?:\d{1,5}|port)(?=$|[,/]))?`;
/** Hosts with their ports, and a path. */
const ADDRESS = new RegExp(String.raw`^(?:${HOST}(?:,${HOST})*)?(?:\/[\w%.~-]*)*`, 'i');

function isRedisClient(value: object): value is RedisClientLike {
  return 'defineCommand' in value && 'duplicate' in value;
}

function isPostgresPool(value: object): value is PostgresPoolLike {
  return 'totalCount' in value && 'query' in value;
}
