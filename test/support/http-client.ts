import { once } from 'node:events';
import { request as send, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';

type Headers = Record<string, string>;

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  readonly json: () => unknown;
}

/** Sends one request on a connection of its own. The path is sent as it is written, without normalisation. */
export async function request(url: string, path: string, { method = 'GET', headers = {} } = {}): Promise<Reply> {
  const message = await open(url, path, method, headers);
  let text = '';
  for await (const chunk of message.setEncoding('utf8')) text += chunk;
  return {
    status: message.statusCode as number,
    headers: message.headers,
    text,
    json: () => JSON.parse(text) as unknown,
  };
}

/** Sends a request and resolves with the head of the response. The caller reads the body, or destroys the message. */
export async function open(url: string, path: string, method = 'GET', headers: Headers = {}): Promise<IncomingMessage> {
  const { hostname, port } = new URL(url);
  const sent = send({ hostname, port, path, method, headers, agent: false });
  sent.end();
  const [message] = (await once(sent, 'response')) as [IncomingMessage];
  return message;
}

export interface ServerEvent {
  id?: string;
  event?: string;
  data?: string;
  comment?: string;
  retry?: string;
}

/** Opens a stream of server-sent events, which the caller reads one by one. */
export async function openEvents(url: string, path: string, headers: Headers = {}) {
  const message = await open(url, path, 'GET', { Accept: 'text/event-stream', ...headers });
  const events = parse(message);
  return {
    status: message.statusCode,
    headers: message.headers,
    /** Returns the next event `status`, with its data parsed; `undefined` at the end. Skips all other events. */
    async next(): Promise<{ id: string; status: Record<string, unknown> } | undefined> {
      for (;;) {
        const { value, done } = await events.next();
        if (done) return undefined;
        if (value.event !== 'status') continue;
        return { id: value.id as string, status: JSON.parse(value.data as string) as Record<string, unknown> };
      }
    },
    /** Returns the next comment. Skips all events. */
    async nextComment(): Promise<string> {
      for (;;) {
        const { value, done } = await events.next();
        if (done) throw new Error('The stream ended without a comment.');
        if (value.comment !== undefined) return value.comment;
      }
    },
    disconnect: () => message.destroy(),
  };
}

async function* parse(message: IncomingMessage): AsyncGenerator<ServerEvent, void, undefined> {
  let text = '';
  for await (const chunk of message.setEncoding('utf8')) {
    text += chunk;
    const blocks = text.split('\n\n');
    text = blocks.pop() as string;
    for (const block of blocks) yield toEvent(block);
  }
}

function toEvent(block: string): ServerEvent {
  const event: Record<string, string> = {};
  for (const line of block.split('\n')) {
    const [, name, value] = /^([^:]*): ?(.*)$/.exec(line) as unknown as [string, string, string];
    event[name || 'comment'] = value;
  }
  return event;
}
