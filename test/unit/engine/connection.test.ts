import { describe, expect, it } from '@jest/globals';
import {
  parseConnection,
  withoutPassword,
  type Connection,
  type ConnectionOption,
} from '../../../lib/engine/connection.js';
import { ConfigurationError } from '../../../lib/errors.js';

const client = { status: 'ready', duplicate: () => undefined, defineCommand: () => undefined };
const pool = { connect: () => undefined, query: () => undefined, totalCount: 0, options: { host: 'h', user: 'u' } };

describe('parseConnection', () => {
  it.each<[url: string, connection: Connection]>([
    ['redis://localhost', { kind: 'redis', url: 'redis://localhost' }],
    ['redis://user:pass@host:6380/2', { kind: 'redis', url: 'redis://user:pass@host:6380/2' }],
    ['rediss://host', { kind: 'redis', url: 'rediss://host' }],
    ['REDIS://host', { kind: 'redis', url: 'REDIS://host' }],
    ['postgres://user:pass@host/db', { kind: 'postgres', url: 'postgres://user:pass@host/db' }],
    ['postgresql://host/db?sslmode=require', { kind: 'postgres', url: 'postgresql://host/db?sslmode=require' }],
    ['memory:', { kind: 'memory' }],
    ['memory:shared', { kind: 'memory', name: 'shared' }],
    ['memory://shared', { kind: 'memory', name: 'shared' }],
    ['pglite:', { kind: 'embedded' }],
    ['pglite://', { kind: 'embedded' }],
    ['pglite:data', { kind: 'embedded', folder: 'data' }],
    ['pglite://data', { kind: 'embedded', folder: 'data' }],
    ['pglite:./data/tasks', { kind: 'embedded', folder: './data/tasks' }],
    ['pglite:/var/lib/tasks', { kind: 'embedded', folder: '/var/lib/tasks' }],
    ['pglite:///var/lib/tasks', { kind: 'embedded', folder: '/var/lib/tasks' }],
    ['pglite:with space?and=query', { kind: 'embedded', folder: 'with space?and=query' }],
  ])('understands the URL %s', (url, connection) => {
    expect(parseConnection(url)).toStrictEqual(connection);
  });

  it.each<[url: string, options: object]>([
    [
      'redis+cluster://a:7000,b',
      {
        nodes: [
          { host: 'a', port: 7000 },
          { host: 'b', port: 6379 },
        ],
        redisOptions: {},
      },
    ],
    [
      'rediss+cluster://ann:p%40ss@a:1/0',
      { nodes: [{ host: 'a', port: 1 }], redisOptions: { username: 'ann', password: 'p@ss', tls: {} } },
    ],
    [
      'redis+cluster://:secret@[::1]:7000',
      { nodes: [{ host: '::1', port: 7000 }], redisOptions: { password: 'secret' } },
    ],
  ])('understands the URL %s of a cluster', (url, options) => {
    expect(parseConnection(url)).toStrictEqual({ kind: 'redis', options });
  });

  it.each([
    'redis+cluster://',
    'redis+cluster://a:x',
    'redis+cluster://a,,b',
    'redis+cluster://a/1',
    'redis+cluster://u:%ZZ@a',
  ])('refuses the URL %s of a cluster', (url) => {
    expect(() => parseConnection(url)).toThrow(/redis\+cluster:\/\/node-1:6379/);
  });

  it('takes the direct URL from the options, else from the environment, and only for PostgreSQL', () => {
    const [own, ofEnvironment] = ['postgres://direct', 'postgres://environment'];
    const options = { connectionString: 'postgres://pooler', directUrl: own };
    expect(parseConnection(options, ofEnvironment)).toStrictEqual({ kind: 'postgres', options, directUrl: own });
    expect(parseConnection('postgres://pooler', ofEnvironment)).toMatchObject({ directUrl: ofEnvironment });
    expect(parseConnection('postgres://pooler', '')).not.toHaveProperty('directUrl');
    for (const other of ['redis://host', 'pglite:', pool] as const) {
      expect(parseConnection(other, ofEnvironment)).not.toHaveProperty('directUrl');
    }
    expect(() => parseConnection('postgres://pooler', 'user:secret@host')).toThrow(/TASK_QUEUE_DIRECT_URL\) is "host"/);
  });

  it.each<[what: string, option: ConnectionOption]>([
    ['a host', { host: 'h' }],
    ['a port', { port: 6379 }],
    ['the path of a socket', { path: '/run/redis.sock' }],
    ['the nodes of a cluster', { nodes: [{ host: 'h', port: 1 }] }],
    ['sentinels', { sentinels: [{ host: 'h', port: 1 }], name: 'main' }],
    ['the username of Redis', { host: 'h', username: 'u', password: 'p', db: 1 }],
  ])('takes an object with %s for options of Redis', (_, option) => {
    expect(parseConnection(option)).toStrictEqual({ kind: 'redis', options: option });
  });

  it.each<[what: string, option: ConnectionOption]>([
    ['a connection string', { connectionString: 'postgres://h' }],
    ['a database', { database: 'd' }],
    ['a user', { user: 'u' }],
    ['a host and a user', { host: 'h', port: 5432, user: 'u', password: 'p' }],
    ['a host and a database', { host: 'h', database: 'd' }],
  ])('takes an object with %s for options of PostgreSQL', (_, option) => {
    expect(parseConnection(option)).toStrictEqual({ kind: 'postgres', options: option });
  });

  it('uses a client of ioredis, and a pool of pg, as they are', () => {
    expect(parseConnection(client)).toStrictEqual({ kind: 'redis', client });
    expect((parseConnection(client) as { client: object }).client).toBe(client);
    expect(parseConnection(pool)).toStrictEqual({ kind: 'postgres', pool });
    expect((parseConnection(pool) as { pool: object }).pool).toBe(pool);
  });

  it('takes an object for options that only resembles a client or a pool', () => {
    for (const option of [
      { host: 'h', duplicate: true },
      { host: 'h', defineCommand: true },
    ]) {
      expect(parseConnection(option)).toStrictEqual({ kind: 'redis', options: option });
    }
    for (const option of [
      { user: 'u', query: true },
      { user: 'u', totalCount: 1 },
    ]) {
      expect(parseConnection(option)).toStrictEqual({ kind: 'postgres', options: option });
    }
  });

  it('tells a client and a pool from options, though they have a host and a user, too', () => {
    expect(parseConnection({ ...client, host: 'h', user: 'u' })).toHaveProperty('client');
    expect(parseConnection({ ...pool, host: 'h', user: 'u' })).toHaveProperty('pool');
  });

  it.each<[option: unknown, named: string]>([
    ['', '""'],
    ['redis', '"redis"'],
    ['redis:localhost', '"redis:localhost"'],
    ['redis//localhost', '"redis//localhost"'],
    ['mysql://localhost/db', '"mysql://localhost/db"'],
    ['http://localhost', '"http://localhost"'],
    ['redis://host:port', '"redis://host:port"'],
    ['localhost:6379', '"localhost:6379"'],
    [7, '7'],
    [null, 'null'],
    [undefined, 'undefined'],
    [true, 'true'],
    [{}, 'an object'],
    [{ url: 'redis://h', tls: true }, 'url, tls'],
    [{ username: 'u' }, 'username'],
  ])('refuses %j, and names it and the cure', (option, named) => {
    const parse = () => parseConnection(option as ConnectionOption);
    expect(parse).toThrow(ConfigurationError);
    expect(parse).toThrow(named);
    expect(parse).toThrow(/connection is .*redis:\/\/host:6379.*pglite:.*TASK_QUEUE_URL/s);
  });

  it.each([
    'mysql://root:secret@localhost/db',
    'mysql://:secret@localhost/db',
    'redis://user:secret@host:port',
    'http://localhost/?password=secret',
    'mysql://root:secret@localhost/db?password=secret\nsecret',
    'mysql://root:se/secret@h',
    'mysql://root:pa@secret@h',
    'mysql://root:pa?secret@h',
    'mysql://root:pa#secret@h',
    'root:secret@h/db',
    'redis:/u:secret@h',
    'redis//:secret@h',
    ' redis://u:secret@h',
    'postgres+ssl://u:secret@h',
    'postgresql2://u:secret@h',
    'http://h/#secret',
    { url: 'redis://:secret@h' },
    { password: 'secret' },
  ])('shows no password of %j', (option) => {
    expect(() => parseConnection(option as ConnectionOption)).toThrow(ConfigurationError);
    expect(() => parseConnection(option as ConnectionOption)).not.toThrow('secret');
  });
});

describe('withoutPassword', () => {
  it.each([
    ['redis://localhost:6379/2', 'redis://localhost:6379/2'],
    ['redis://user@host', 'redis://host'],
    ['redis://user:secret@host', 'redis://host'],
    ['rediss://:secret@host:1/0', 'rediss://host:1/0'],
    ['POSTGRES://user:secret@host/db', 'POSTGRES://host/db'],
    ['postgres://user:secret@host/db?sslmode=require&password=secret', 'postgres://host/db'],
    ['redis://user:a@b/c@host', 'redis://host'],
    ['redis+tls://user:secret@host', 'redis+tls://host'],
    ['user:secret@host/db', 'host/db'],
    ['postgres://one:5432,two:5433/db', 'postgres://one:5432,two:5433/db'],
    ['redis://[::1]:6379/0', 'redis://[::1]:6379/0'],
    ['postgres://%2Frun%2Fpg/db', 'postgres://%2Frun%2Fpg/db'],
    // Texts that are no URLs, or lack a part of one.
    ['host=db port=5432 user=app password=secret', 'host…'],
    ['Server=db;Database=app;Password=secret', 'Server…'],
    ['redis-cli -h host -a secret', 'redis-cli…'],
    ['redis://:secret', 'redis://…'],
    ['redis://:123456', 'redis://…'],
    ['redis://user:secret', 'redis://user…'],
    ['redis://user:secret/0', 'redis://user…'],
    ['redis:/:secret@host', 'redis:host'],
    ['redis://:secret＠host', 'redis://…'],
    ['redis://host:6379 secret', 'redis://host…'],
    ['{"host":"db","password":"secret"}', '…'],
  ])('shows %s as %s', (url, shown) => {
    expect(withoutPassword(url)).toBe(shown);
  });

  it('shows the beginning of a long text', () => {
    expect(withoutPassword(`redis://${'h'.repeat(500)}`)).toHaveLength(200);
  });
});
