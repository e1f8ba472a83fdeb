import type { RedisClient } from './client-options.js';

/** Sends a command for each item, all in one packet. */
export function inOnePacket<T, R>(
  client: RedisClient,
  items: readonly T[],
  send: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  // A cluster has a connection for each node and chooses one by itself.
  const stream = 'nodes' in client ? undefined : client.stream;
  stream?.cork();
  const sent = items.map(send);
  stream?.uncork();
  return Promise.all(sent);
}
