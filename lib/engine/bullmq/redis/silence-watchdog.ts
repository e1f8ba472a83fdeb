import type { RedisClient } from './client-options.js';

/** Milliseconds between two checks. */
const INTERVAL = 1_000;

/**
 * Cuts the client's connection when the server owes an answer and sends nothing for `limit` milliseconds: the
 * connection is as good as broken, and ioredis makes another. ioredis has the option `socketTimeout` for this purpose,
 * which creates a timer and a listener for each packet. A cluster keeps `socketTimeout`, because it has a connection
 * for each node.
 *
 * The watchdog counts checks instead of milliseconds. After this process was blocked, Node reads the data that arrived
 * meanwhile before the next check runs.
 *
 * @param limit milliseconds, rounded up to whole seconds
 */
export function cutWhenSilent<C extends RedisClient>(client: C, limit: number): C {
  if ('nodes' in client) return client;
  // `undefined` before the client connects, although the type of `stream` excludes that.
  let stream: typeof client.stream | undefined = client.stream;
  let bytesRead = 0;
  let silentChecks = 0;
  const timer = setInterval(() => {
    const isSilent = stream === client.stream && bytesRead === stream?.bytesRead && client.commandQueue.length > 0;
    stream = client.stream;
    bytesRead = stream?.bytesRead ?? 0;
    silentChecks = isSilent ? silentChecks + 1 : 0;
    if (silentChecks * INTERVAL < limit) return;
    silentChecks = 0;
    stream?.destroy(new Error(`Socket timeout: no answer within ${limit} ms.`));
  }, INTERVAL).unref();
  client.once('end', () => clearInterval(timer));
  return client;
}
