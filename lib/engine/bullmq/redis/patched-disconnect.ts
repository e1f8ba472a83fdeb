import type { RedisClient } from './client-options.js';

/**
 * Makes `disconnect(true)` do nothing while the client connects. BullMQ calls it when a worker has waited too long for a
 * command. With sentinels, ioredis would end the attempt to connect with an error and the client for good: the worker
 * would never take a task again.
 */
export function patchDisconnect<C extends RedisClient>(client: C): C {
  if ('nodes' in client) return client;
  const disconnect = client.disconnect.bind(client);
  client.disconnect = (reconnect = false) => {
    if (!reconnect || client.status !== 'connecting') disconnect(reconnect);
  };
  return client;
}
