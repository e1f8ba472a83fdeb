/** The field that a message between two processes of this package has, and no other message. */
const FIELD = 'nestjs-task-queue';

/**
 * A message in the form in which it is sent. Code of the application shares the channel between a process and its parent: a process
 * manager, for example, makes applications call `process.send('ready')`.
 */
export function toMessage(message: object): object {
  return { [FIELD]: message };
}

/** The message in what was received; `undefined` when something else has sent it. */
export function readMessage<M extends { readonly type: string }>(received: unknown): M | undefined {
  if (typeof received !== 'object' || received === null) return undefined;
  const message = (received as Readonly<Record<string, unknown>>)[FIELD];
  return typeof message === 'object' && message !== null && 'type' in message ? (message as M) : undefined;
}
