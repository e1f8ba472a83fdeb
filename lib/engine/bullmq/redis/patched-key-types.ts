import type { RedisClient } from './client-options.js';

/** The commands that this package and BullMQ send for a single key of a queue, outside of scripts. */
const COMMANDS: ReadonlySet<string> = new Set([
  ...['hget', 'hmget', 'hset', 'hmset', 'hdel', 'hscan', 'hexists', 'hincrby'],
  ...['smembers', 'sadd', 'bzpopmin'],
]);
/** The keys of a queue that such a command concerns. A job is read in other ways. */
const KEYS = /:(?:meta|secret|marker|_queues:names)$/;

/** The parts of a command that are used here; `node` only in a cluster. */
interface SentCommand {
  readonly name: string;
  readonly args: readonly unknown[];
}
type Sent = [command: SentCommand, stream?: unknown, node?: unknown];

/**
 * Makes a client remove a key of another type than this package stores there, and send the command once more, as
 * `patched-scripts.ts` does within scripts. By itself, one such key stops all schedules, the list of workers or an idle
 * worker, until somebody finds out which key it is.
 *
 * @param onRemoved called with the key
 */
export function repairKeyTypes<C extends RedisClient>(client: C, onRemoved: (key: string) => void): C {
  const send = client.sendCommand.bind(client) as (...all: Sent) => Promise<unknown>;
  const repair = async (error: unknown, { name, args }: SentCommand): Promise<unknown> => {
    const [key] = args;
    if (!(error as Error).message.startsWith('WRONGTYPE') || typeof key !== 'string' || !KEYS.test(key)) throw error;
    await client.del(key);
    onRemoved(key);
    return client.call(name, ...(args as string[]));
  };
  const repairable = new WeakSet<SentCommand>();
  // It has the parameters of ioredis, without a list of the rest: each command of a worker passes here.
  const sendPatched = (command: SentCommand, stream?: unknown, node?: unknown) => {
    const answer = send(command, stream, node);
    // ioredis sends a command again after it has connected again, and ignores what this function returns then.
    if (!COMMANDS.has(command.name) || repairable.has(command)) return answer;
    repairable.add(command);
    return answer.catch((error: unknown) => repair(error, command));
  };
  return Object.assign(client, { sendCommand: sendPatched });
}
