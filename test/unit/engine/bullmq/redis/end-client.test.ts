import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { commandOptions } from '../../../../../lib/engine/bullmq/redis/client-options.js';
import { endClient } from '../../../../../lib/engine/bullmq/redis/redis-client.js';

/** A port of this machine on which nothing listens. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Unlike `events.once` it does not reject at an `error` event, which comes with each failed attempt. */
function event(client: Redis, name: 'reconnecting' | 'end'): Promise<void> {
  return new Promise((resolve) => client.once(name, () => resolve()));
}

it('a client that waits before its next attempt to connect ends at once', async () => {
  // ioredis by itself would never report the end of such a client.
  const options = commandOptions({ host: '127.0.0.1', port: await closedPort() });
  const client = new Redis({ ...options, lazyConnect: false, retryStrategy: () => 60_000 });
  client.on('error', () => undefined);
  await event(client, 'reconnecting');
  const ended = event(client, 'end');
  endClient(client);
  await ended;
  expect(client.status).toBe('end');
});
