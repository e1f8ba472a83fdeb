import { expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import pg from 'pg';
import { parseConnection, type ConnectionOption } from '../../../lib/engine/connection.js';
import { describePlace } from '../../../lib/engine/describe-connection.js';

const place = (connection: ConnectionOption) => describePlace(parseConnection(connection), 'shop');

it.each<[ConnectionOption, string]>([
  ['redis://user:p%40ss@cache:6380/2', 'Redis at cache:6380/2, prefix shop'],
  ['rediss://cache', 'Redis at cache, prefix shop'],
  [{ host: 'cache', port: 6379, password: 'secret' }, 'Redis at cache:6379, prefix shop'],
  [{ host: 'cache', db: 3 }, 'Redis at cache/3, prefix shop'],
  [{ path: '/run/redis.sock' }, 'Redis at /run/redis.sock, prefix shop'],
  [
    {
      nodes: [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
      ],
    },
    'Redis at the cluster a:1, b:2, prefix shop',
  ],
  [
    { sentinels: [{ host: 'a', port: 1 }], name: 'main', password: 'secret' },
    'Redis at main of the sentinels a:1, prefix shop',
  ],
  ['postgres://user:p@ss/word@db:5432/app?sslmode=require', 'PostgreSQL at db:5432/app, schema shop'],
  ['postgresql://db/app', 'PostgreSQL at db/app, schema shop'],
  [{ connectionString: 'postgres://user:secret@db/app' }, 'PostgreSQL at db/app, schema shop'],
  [{ host: 'db', database: 'app', user: 'me', password: 'secret' }, 'PostgreSQL at db/app, schema shop'],
  ['pglite:', 'the embedded engine in memory, schema shop'],
  ['pglite:/var/tasks', 'the embedded engine in /var/tasks, schema shop'],
  ['memory:', 'the memory engine, prefix shop'],
])('the place of %j is named without credentials', (connection, text) => {
  expect(place(connection)).toBe(text);
});

it('the place of a client or pool of the application is named too', async () => {
  const client = new Redis({ host: 'cache', port: 6380, password: 'secret', lazyConnect: true });
  expect(place(client)).toBe('Redis at cache:6380/0, prefix shop');
  client.disconnect();
  const pool = new pg.Pool({ host: 'db', database: 'app', password: 'secret' });
  expect(place(pool)).toBe('PostgreSQL at db/app, schema shop');
  await pool.end();
});
