import type { RedisClient } from './redis-client.js';

/** Seven of eight system calls are saved by then. */
const LARGEST_PACKET = 8;
/** Redis works on three parts of what is under way while one is collected. */
const PARTS = 4;

/**
 * Sends commands of one moment together: ioredis writes each by itself, and that system call is the most expensive step of
 * a small task. What all workers send is in one connection, so when several answers come at once, so do their next
 * commands.
 *
 * Never all of them: Redis and this process would take turns then, where they can work side by side. And nothing is held
 * back while Redis has nothing to do. A cluster has a connection for each node, and is left as it is.
 */
export function patchSendCommand<C extends RedisClient>(client: C): C {
  if ('nodes' in client) return client;
  const send = client.sendCommand.bind(client);
  let held: typeof client.stream | undefined;
  let count = 0;
  const release = (): void => {
    held?.uncork();
    held = undefined;
    count = 0;
  };
  client.sendCommand = (command, stream) => {
    const isIdle = client.commandQueue.length === 0;
    if (!held && !isIdle && client.status === 'ready') {
      held = client.stream;
      held.cork();
      process.nextTick(release);
    }
    const answer = send(command, stream);
    if (held && (++count === LARGEST_PACKET || count * PARTS >= client.commandQueue.length)) release();
    return answer;
  };
  return client;
}
