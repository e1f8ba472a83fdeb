import type { RedisClient } from './client-options.js';

interface ReplyCommand {
  name: string;
  transformReply(reply: unknown): unknown;
}

/** The parameters of `sendCommand`; `node` only in a cluster. */
type Sent = [command: ReplyCommand, stream?: unknown, node?: unknown];

/**
 * Makes HGETALL answer with a plain object, as BullMQ reads it. An application can replace the form of an answer for
 * all clients of the process: `Redis.Command.setReplyTransformer('hgetall', …)`. This client does not use that form.
 */
export function patchHashReplies<C extends RedisClient>(client: C): C {
  const send = client.sendCommand.bind(client) as (...all: Sent) => Promise<unknown>;
  // It has the parameters of ioredis, without a list of the rest: each command of a worker passes here.
  const sendPatched = (command: ReplyCommand, stream?: unknown, node?: unknown) => {
    if (command.name === 'hgetall') command.transformReply = transformHash;
    return send(command, stream, node);
  };
  return Object.assign(client, { sendCommand: sendPatched });
}

/** ioredis looks for a transformer by the name of the command, and there is none for a name in capitals. */
function transformHash(this: ReplyCommand, reply: unknown): unknown {
  const { transformReply } = Object.getPrototypeOf(this) as ReplyCommand;
  const fields = transformReply.call(Object.assign(Object.create(this) as ReplyCommand, { name: 'HGETALL' }), reply);
  if (!Array.isArray(fields)) return fields;
  return Object.fromEntries(
    Array.from({ length: fields.length / 2 }, (_, pair) => [fields[2 * pair], fields[2 * pair + 1]] as const),
  );
}
