import type { RedisClient } from './redis-client.js';

/** How often it looks, in milliseconds. */
const INTERVAL = 1_000;

/**
 * Cuts the client's connection when it owes an answer and says nothing for so long: it is as good as cut, and another is
 * made. ioredis has `socketTimeout` for that, which makes a timer and a listener for each packet; it is left to clusters,
 * which have a connection for each node.
 *
 * It counts looks rather than time: after this process stood still, what came meanwhile is read before the next look.
 *
 * @param limit in milliseconds, to the second
 */
export function cutWhenSilent<C extends RedisClient>(client: C, limit: number): C {
  if ('nodes' in client) return client;
  // There is none before the client connects, whatever its type says.
  let stream: typeof client.stream | undefined = client.stream;
  let heard = 0;
  let silentLooks = 0;
  const timer = setInterval(() => {
    const isSilent = stream === client.stream && heard === stream?.bytesRead && client.commandQueue.length > 0;
    stream = client.stream;
    heard = stream?.bytesRead ?? 0;
    silentLooks = isSilent ? silentLooks + 1 : 0;
    if (silentLooks * INTERVAL < limit) return;
    silentLooks = 0;
    stream?.destroy(new Error(`Socket timeout: no answer within ${limit} ms.`));
  }, INTERVAL).unref();
  client.once('end', () => clearInterval(timer));
  return client;
}
