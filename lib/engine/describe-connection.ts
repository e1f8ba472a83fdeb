import { resolve } from 'node:path';
import { withoutPassword, type Connection, type DatabaseConnection } from './connection.js';

type Server = Extract<DatabaseConnection, { kind: 'redis' | 'postgres' }>;

/** Where tasks are stored, without credentials, for the log: `PostgreSQL at db:5432/app, schema tasks`. */
export function describePlace(connection: Connection, prefix: string): string {
  const namespace = connection.kind === 'redis' || connection.kind === 'memory' ? 'prefix' : 'schema';
  return `${describeConnection(connection)}, ${namespace} ${prefix}`;
}

/** Where tasks are stored by an application with shards, without credentials. */
export function describePlaces({ connection, prefix, shards }: StoredIn): string {
  const ofShards = shards.map((shard) => `on ${describePlace(shard.connection, shard.prefix)} (shard ${shard.name})`);
  return [describePlace(connection, prefix), ...ofShards].join('; ');
}

interface StoredIn {
  readonly connection: Connection;
  readonly prefix: string;
  readonly shards: readonly { readonly name: string; readonly connection: Connection; readonly prefix: string }[];
}

function describeConnection(connection: Connection): string {
  switch (connection.kind) {
    case 'memory':
      return connection.name === undefined ? 'the memory engine' : `the memory engine "${connection.name}"`;
    case 'embedded':
      return connection.folder === undefined
        ? 'the embedded engine in memory'
        : `the embedded engine in ${resolve(connection.folder)}`;
    case 'redis':
    case 'postgres':
      return `${connection.kind === 'redis' ? 'Redis' : 'PostgreSQL'} at ${addressOf(connection)}`;
  }
}

function addressOf(connection: Server): string {
  if (connection.url !== undefined) return addressOfUrl(connection.url);
  if (connection.kind === 'postgres') return addressOfPostgres(connection.options ?? optionsOf(connection.pool));
  return addressOfRedis(connection.options ?? optionsOf(connection.client));
}

function addressOfUrl(url: string): string {
  return (
    withoutPassword(url)
      .replace(/^[a-z+]+:\/\//i, '')
      .replace(/\/$/, '') || 'localhost'
  );
}

function addressOfPostgres({ connectionString, host, port, database }: Options): string {
  if (typeof connectionString === 'string') return addressOfUrl(connectionString);
  const { PGHOST, PGPORT, PGDATABASE } = process.env;
  const name = database ?? PGDATABASE;
  return hostAndPort({ host: host ?? PGHOST, port: port ?? PGPORT }) + (name === undefined ? '' : `/${text(name)}`);
}

function addressOfRedis({ host, port, path, db, nodes, sentinels, name }: Options): string {
  if (typeof path === 'string') return path;
  if (Array.isArray(sentinels) && sentinels.length > 0)
    return `${text(name)} of the sentinels ${listServers(sentinels)}`;
  if (Array.isArray(nodes)) return `the cluster ${listServers(nodes)}`;
  return hostAndPort({ host, port }) + (db === undefined ? '' : `/${text(db)}`);
}

/** The options of ioredis or pg; also of a client or pool of the application. */
type Options = Readonly<Record<string, unknown>>;

/** The options of a client or pool, which are public in both libraries. A cluster of ioredis has other ones. */
function optionsOf(client: object | undefined): Options {
  const options: unknown = client && Reflect.get(client, 'options');
  return typeof options === 'object' && options !== null ? (options as Options) : {};
}

/** The addresses of several servers, without credentials. */
export function listServers(servers: readonly unknown[]): string {
  return servers
    .map((server) => (typeof server === 'string' ? addressOfUrl(server) : hostAndPort(server as Options)))
    .join(', ');
}

/** The address of a server, without credentials. */
export function hostAndPort({ host, port }: Options): string {
  const name = hostOf(host ?? 'localhost');
  return port === undefined ? name : `${name}:${text(port)}`;
}

/** An application may give a whole URL for a host, with its password. The path of a socket is a host of PostgreSQL too. */
function hostOf(host: unknown): string {
  return typeof host === 'string' && /@|:\/\//.test(host) ? addressOfUrl(host) : text(host);
}

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '?';
}
