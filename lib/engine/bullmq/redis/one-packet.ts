import type { RedisClient } from './client-options.js';

/** Sends all commands in one packet that are sent before `send` returns. */
export function inOnePacket<T>(client: RedisClient, send: () => T): T {
  // A cluster has a connection for each node and chooses one by itself.
  const stream = 'nodes' in client ? undefined : client.stream;
  stream?.cork();
  try {
    return send();
  } finally {
    stream?.uncork();
  }
}

/** Sends a command for each item, all in one packet. */
export function eachInOnePacket<T, R>(
  client: RedisClient,
  items: readonly T[],
  send: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  return Promise.all(inOnePacket(client, () => items.map(send)));
}
