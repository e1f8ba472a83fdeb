import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { until } from '../support/until.js';
import { freePrefix, startRedis } from '../support/servers.js';
import { bootAdder, bootError, bootsAndWorks } from './booting.js';

const shared = () => process.env['TEST_REDIS_URL'] as string;

it.each(['mysql://root:secret@db/app', 'localhost:6379', 'redis//host', 'http://user:secret@host'])(
  'the application does not boot with the connection %s, and the error hides its password',
  async (connection) => {
    const error = await bootError({ connection });
    expect(error).toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringMatching(/redis:\/\/host:6379.*TASK_QUEUE_URL/),
    });
    expect(error.message).not.toContain('secret');
  },
);

describe('a Redis that cannot be reached yet', () => {
  it('the application boots without it, calls fail in time, and tasks run once it can be reached', async () => {
    const server = await startRedis();
    await server.stop();
    const { app, add, lines, works } = await bootAdder({ connection: server.url, enqueueTimeout: 700 });
    try {
      expect(lines.filter((line) => line.startsWith('ERROR'))).toEqual([
        expect.stringMatching(/Redis at .* cannot be reached: .*ECONNREFUSED/),
      ]);
      const start = Date.now();
      await expect(add.enqueue(1, 2)).rejects.toMatchObject({
        code: 'ENGINE_UNAVAILABLE',
        message: expect.stringContaining('cannot be reached'),
      });
      expect(Date.now() - start).toBeLessThan(1_200);
      await server.restart();
      await until(() => works().catch(() => false), 'a task runs without a restart of the application');
      expect(lines.length).toBeLessThanOrEqual(4);
    } finally {
      await app.close();
      await server.close();
    }
  });
});

describe('sentinels that cannot be reached', () => {
  it('the application boots without them, and calls fail in time', async () => {
    const server = await startRedis();
    await server.close();
    const connection = { name: 'main', sentinels: [{ host: '127.0.0.1', port: server.port }] };
    const { app, add, lines } = await bootAdder({ connection, enqueueTimeout: 700 });
    try {
      expect(lines.filter((line) => line.startsWith('ERROR'))).toEqual([
        expect.stringMatching(/Redis at main of the sentinels .* cannot be reached: All sentinels are unreachable/),
      ]);
      await expect(add.enqueue(1, 2)).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
    } finally {
      await app.close();
    }
  });
});

describe('a Redis with a password', () => {
  const password = 'p@ss/w:rd';
  let server: Awaited<ReturnType<typeof startRedis>>;
  beforeAll(async () => {
    server = await startRedis({ password });
  });
  afterAll(() => server.close());

  it('the connection takes the password from the URL and from options', async () => {
    await expect(bootsAndWorks({ connection: server.url })).resolves.toBe(true);
    await expect(bootsAndWorks({ connection: { host: '127.0.0.1', port: server.port, password } })).resolves.toBe(true);
  });

  it.each([
    ['wrong', () => `redis://:wr0ng@127.0.0.1:${server.port}`],
    ['missing', () => `redis://127.0.0.1:${server.port}`],
  ])('the application does not boot when the password is %s', async (_, connection) => {
    const error = await bootError({ connection: connection() });
    expect(error).toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringMatching(/(WRONGPASS|NOAUTH).*user and password/),
    });
    expect(error.message).not.toContain('wr0ng');
  });
});

describe('a server that is not Redis', () => {
  it('the application does not boot when the server is a web server', async () => {
    const server = createServer((_, response) => response.end('Hello')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const error = await bootError({ connection: `redis://127.0.0.1:${(server.address() as AddressInfo).port}` });
      expect(error).toMatchObject({
        code: 'CONFIGURATION',
        message: expect.stringContaining('is not Redis: check host and port'),
      });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it('the log has one error line when the server is a PostgreSQL, which only closes the connection', async () => {
    const { port } = new URL(process.env['TEST_POSTGRES_URL'] as string);
    const { app, lines } = await bootAdder({ connection: `redis://127.0.0.1:${port}` });
    await app.close();
    expect(lines.filter((line) => line.startsWith('ERROR'))).toHaveLength(1);
  });
});

describe('TLS', () => {
  let server: Awaited<ReturnType<typeof startRedis>>;
  beforeAll(async () => {
    server = await startRedis({ tls: true, password: 'secret' });
  });
  afterAll(() => server.close());

  it('the connection works with a self-signed certificate in the options', async () => {
    const tls = { ca: server.ca };
    await expect(
      bootsAndWorks({ connection: { host: '127.0.0.1', port: server.port, password: 'secret', tls } }),
    ).resolves.toBe(true);
  });

  it('the application does not boot with a certificate that no authority has signed', async () => {
    await expect(bootError({ connection: server.url })).resolves.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringMatching(/certificate.*tls: \{ ca/),
    });
  });

  it('the log has one error line when the server speaks no TLS and waits for the end of a command', async () => {
    const { app, lines } = await bootAdder({ connection: shared().replace('redis:', 'rediss:') });
    await app.close();
    expect(lines.filter((line) => line.startsWith('ERROR'))).toEqual([expect.stringContaining('ETIMEDOUT')]);
  });
});

it('the connection uses the database of the URL', async () => {
  const prefix = freePrefix();
  await expect(bootsAndWorks({ connection: `${shared()}/7`, prefix })).resolves.toBe(true);
  const [database7, database0] = [new Redis(`${shared()}/7`), new Redis(shared())];
  const keys = await database7.keys(`${prefix}:*`);
  expect(keys.length).toBeGreaterThan(0);
  await expect(database0.keys(`${prefix}:*`)).resolves.toEqual([]);
  await database7.del(keys);
  database7.disconnect();
  database0.disconnect();
});

describe("the application's own client", () => {
  it('the library uses the client, leaves it open and removes its listeners', async () => {
    const client = new Redis(shared());
    const listeners = () => client.eventNames().map((name) => [name, client.listenerCount(name)]);
    const before = listeners();
    await expect(bootsAndWorks({ connection: client })).resolves.toBe(true);
    await expect(client.ping()).resolves.toBe('PONG');
    expect(listeners()).toEqual(before);
    client.disconnect();
  });

  it('the library does not open the client again after the application has closed it', async () => {
    const client = new Redis(shared());
    const { app, add } = await bootAdder({ connection: client, role: 'producer', enqueueTimeout: 300 });
    await client.quit();
    await expect(add.enqueue(1, 2)).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringContaining('The application closed its client'),
    });
    await app.close();
    expect(client.status).toBe('end');
  });
});

describe('a cluster', () => {
  let server: Awaited<ReturnType<typeof startRedis>>;
  beforeAll(async () => {
    server = await startRedis({ cluster: true });
  });
  afterAll(() => server.close());

  it('tasks run with a prefix that is a hash tag', async () => {
    const connection = { nodes: [{ host: '127.0.0.1', port: server.port }] };
    await expect(bootsAndWorks({ connection, prefix: '{tasks}' })).resolves.toBe(true);
  });

  it('is a URL too', async () => {
    const connection = `redis+cluster://127.0.0.1:${server.port}`;
    await expect(bootsAndWorks({ connection, prefix: '{by-url}' })).resolves.toBe(true);
  });

  it('the application does not boot with the URL of a node, and the error names the right one', async () => {
    await expect(bootError({ connection: server.url, prefix: 'tasks' })).resolves.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringMatching(/is a node of a Redis Cluster.*redis\+cluster:\/\//),
    });
  });

  it('the application does not boot with any other prefix', async () => {
    const connection = { nodes: [{ host: '127.0.0.1', port: server.port }] };
    await expect(bootError({ connection, prefix: 'tasks' })).resolves.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringContaining("prefix: '{tasks}'"),
    });
  });
});
