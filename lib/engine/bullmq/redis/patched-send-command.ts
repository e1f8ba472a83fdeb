import type { RedisClient } from './client-options.js';

/** The most commands in one packet. With eight, seven of eight system calls are saved already. */
const LARGEST_PACKET = 8;
/**
 * A packet is sent as soon as it contains a quarter of all commands without an answer. So Redis works on three quarters
 * of these commands while this process collects the last quarter.
 */
const PARTS = 4;

/**
 * Sends the commands of one tick of the event loop in few packets. By itself, ioredis writes each command to the socket
 * alone, and that system call is the most expensive step of a small task. All workers of a process share one
 * connection, so when several answers arrive together, the workers send their next commands together.
 *
 * One packet never takes all commands: Redis and this process would then take turns, although they can work side by
 * side. A command is sent at once while Redis has nothing to do. A cluster has a connection for each node and is left
 * as it is.
 */
export function patchSendCommand<C extends RedisClient>(client: C): C {
  if ('nodes' in client) return client;
  const send = client.sendCommand.bind(client);
  let corked: typeof client.stream | undefined;
  let count = 0;
  const uncork = (): void => {
    corked?.uncork();
    corked = undefined;
    count = 0;
  };
  client.sendCommand = (command, stream) => {
    const isIdle = client.commandQueue.length === 0;
    if (!corked && !isIdle && client.status === 'ready') {
      corked = client.stream;
      corked.cork();
      process.nextTick(uncork);
    }
    const answer = send(command, stream);
    if (corked && (++count === LARGEST_PACKET || count * PARTS >= client.commandQueue.length)) uncork();
    return answer;
  };
  return client;
}
