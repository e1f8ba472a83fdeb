import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis, type RedisOptions } from 'ioredis';
import type { TaskQueueOptions } from 'nestjs-task-queue';
import { freePrefix, startRedis } from '../support/servers.js';
import { until } from '../support/until.js';
import { bootAdder } from './booting.js';

/** Options of ioredis that would lose commands, change answers or end connections. */
const OPTIONS: RedisOptions[] = [
  { commandTimeout: 200 },
  { blockingTimeout: 100, blockingTimeoutGrace: 1 },
  { stringNumbers: true },
  { protocol: 3, replyMapping: 'resp3' },
  { protocol: 2 },
  { keyPrefix: 'app:' },
  { enableAutoPipelining: true },
  { autoResubscribe: false, autoResendUnfulfilledCommands: false },
  { retryStrategy: () => null, reconnectOnError: () => false },
  { maxRetriesPerRequest: 1, enableOfflineQueue: false },
  { maxRetriesPerRequest: null, enableReadyCheck: false, lazyConnect: true },
  { socketTimeout: 300, connectTimeout: 20_000 },
  { readOnly: true },
  { monitor: true },
  { role: 'slave' },
  { connectionName: 'app', db: 3, keepAlive: 0, noDelay: false, showFriendlyErrorStack: true },
  { scripts: { addJob: { lua: 'return 7', numberOfKeys: 0 } } },
];
const TABLE = OPTIONS.map((options) => [Object.keys(options).join(', '), options] as const);

let server: Awaited<ReturnType<typeof startRedis>>;
let admin: Redis;
beforeAll(async () => {
  server = await startRedis();
  admin = new Redis(server.url);
});
afterAll(async () => {
  admin.disconnect();
  await server.close();
});

/** Runs tasks, also after the worker has waited for a while. */
async function worksForAWhile(
  connection: TaskQueueOptions['connection'],
  meanwhile: (prefix: string) => Promise<void>,
): Promise<void> {
  const prefix = freePrefix();
  const { app, works } = await bootAdder({ ...(connection !== undefined && { connection }), prefix });
  try {
    await expect(works()).resolves.toBe(true);
    // A plain pause: the worker waits for a task, and the options must not end that.
    await sleep(400);
    await expect(works()).resolves.toBe(true);
    await meanwhile(prefix);
  } finally {
    await app.close();
  }
}

describe('options of ioredis in the option connection', () => {
  it.each(TABLE)('tasks run with %s, also after the connections were cut', async (_, options) => {
    const channels = (prefix: string) => admin.pubsub('CHANNELS', `*${prefix}:bus:*`).then((found) => found.length);
    const { port } = server;
    await worksForAWhile({ host: '127.0.0.1', port, ...options }, async (prefix) => {
      const { app, works } = await bootAdder({ connection: { host: '127.0.0.1', port, ...options }, prefix });
      const before = await channels(prefix);
      await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await until(() => works().catch(() => false), 'tasks run again');
      await until(async () => (await channels(prefix)) >= before, 'the bus is subscribed again');
      await app.close();
    });
  });

  it('the keyPrefix of the application stays in front of all keys', async () => {
    const url = `${server.url}?keyPrefix=shop:&stringNumbers=true&enableOfflineQueue=&lazyConnect=`;
    const { port } = server;
    for (const connection of [url, { host: '127.0.0.1', port, keyPrefix: 'shop:' }]) {
      await worksForAWhile(connection, async (prefix) => {
        expect(await admin.keys(`${prefix}:*`)).toEqual([]);
        expect((await admin.keys(`shop:${prefix}:*`)).length).toBeGreaterThan(0);
      });
    }
  });

  it('the name of the connection is that of the application', async () => {
    const connection = { host: '127.0.0.1', port: server.port, connectionName: 'shop' };
    await worksForAWhile(connection, async () => {
      expect(String(await admin.client('LIST'))).toContain('name=shop');
    });
  });
});

describe("options of the application's own client", () => {
  it.each(TABLE.filter(([, { monitor, role }]) => !monitor && !role))(
    'tasks run with %s, and the client stays as it is',
    async (_, options) => {
      const client = new Redis(server.port, '127.0.0.1', options);
      const before = { ...client.options };
      await worksForAWhile(client, async () => undefined);
      await expect(client.ping()).resolves.toBe('PONG');
      expect({ ...client.options }).toEqual(before);
      client.disconnect();
    },
  );
});

describe('a form of answers that the application sets for all clients of the process', () => {
  afterAll(() => Redis.Command.setReplyTransformer('hgetall', hashOf));

  it('tasks run, and clients of the application answer in that form', async () => {
    Redis.Command.setReplyTransformer('hgetall', (fields: string[]) => ['transformed', fields.length]);
    await worksForAWhile(server.url, async () => {
      await admin.hset('some', 'field', 'value');
      await expect(admin.hgetall('some')).resolves.toEqual(['transformed', 2]);
    });
  });
});

/** The form of ioredis itself. */
function hashOf(fields: string[]): Record<string, string> {
  return Object.fromEntries(fields.flatMap((name, at) => (at % 2 === 0 ? [[name, fields[at + 1] ?? '']] : [])));
}
