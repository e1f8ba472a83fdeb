import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import type { Memory } from './memory.js';
import { listen, type StandIn } from './stand-in.js';

/** How difficult the network is. */
export interface Manners {
  /** Milliseconds until it answers. */
  readonly delay: number;
  /** Each call of this number is answered with 503, for example each third one; 0: none. */
  readonly failsEvery: number;
  /** The number of calls that an account may make within `window` milliseconds; the others are answered with 429. */
  readonly limit: number;
  readonly window: number;
  /** Called when a message is stored, before the answer. */
  readonly onStored?: () => Promise<void>;
}

export const USUAL_MANNERS: Manners = { delay: 900, failsEvery: 3, limit: 3, window: 8_000 };

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/**
 * A stand-in for a social network: slow, out of order now and then, and with a limit of calls. As good interfaces do, it
 * accepts an `Idempotency-Key`: a second call with the same key stores nothing and gets the answer of the first one.
 */
export async function startSocialNetwork(memory: Memory, manners: Manners = USUAL_MANNERS): Promise<StandIn> {
  const network = new SocialNetwork(memory, manners);
  const server = createServer((request, response) => {
    network.answer(request).then(
      (answer) => send(response, answer),
      (error: unknown) => send(response, { status: 500, body: { problem: String(error) } }),
    );
  });
  return listen(server, 'http');
}

class SocialNetwork {
  private calls = 0;

  constructor(
    private readonly memory: Memory,
    private readonly manners: Manners,
  ) {}

  async answer(request: IncomingMessage): Promise<Answer> {
    const { pathname } = new URL(request.url ?? '/', 'http://network');
    if (request.method === 'GET') return this.messagesOf(decodeURIComponent(pathname.slice(1)));
    const body = (await json(request)) as Readonly<Record<string, unknown>>;
    if (pathname === '/members') return this.join(String(body['name']));
    const key = request.headers['idempotency-key'];
    if (typeof key !== 'string') return { status: 400, body: { problem: 'The header Idempotency-Key is missing.' } };
    return this.post(request.headers.authorization?.replace('Bearer ', '') ?? '', key, String(body['text']));
  }

  /** Gives a member the token that lets an application post for it. */
  private join(name: string): Answer {
    const token = `secret-${randomBytes(24).toString('base64url')}`;
    this.memory.prepare('INSERT INTO member (token, name) VALUES (?, ?)').run(token, name);
    return { status: 201, body: { token } };
  }

  private async post(token: string, key: string, text: string): Promise<Answer> {
    const { delay, failsEvery, onStored } = this.manners;
    const member = this.memory.prepare('SELECT name FROM member WHERE token = ?').get(token) as
      | { name: string }
      | undefined;
    if (!member) return { status: 401, body: { problem: 'The token is not valid.' } };
    const wait = this.waitOf(token);
    if (wait > 0)
      return { status: 429, headers: { 'retry-after': String(wait) }, body: { problem: 'Too many calls.' } };
    const call = ++this.calls;
    await setTimeout(delay);
    if (failsEvery > 0 && call % failsEvery === 0) return { status: 503, body: { problem: 'Out of order.' } };
    this.memory
      .prepare('INSERT INTO message (key, name, text, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING')
      .run(key, member.name, text, new Date().toISOString());
    await onStored?.();
    const { id } = this.memory.prepare('SELECT id FROM message WHERE key = ?').get(key) as { id: number };
    return { status: 201, body: { url: `https://network.example/${encodeURIComponent(member.name)}/${id}` } };
  }

  /** Seconds until the account may make a call; 0 when it may make one now, which then counts. */
  private waitOf(token: string): number {
    const { limit, window } = this.manners;
    const now = Date.now();
    const recent = this.memory
      .prepare('SELECT at FROM call WHERE token = ? AND at > ? ORDER BY at DESC LIMIT ?')
      .all(token, now - window, limit) as { at: number }[];
    const oldest = recent[limit - 1];
    if (oldest) return Math.max(1, Math.ceil((oldest.at + window - now) / 1000));
    this.memory.prepare('INSERT INTO call (token, at) VALUES (?, ?)').run(token, now);
    return 0;
  }

  private messagesOf(name: string): Answer {
    const messages = this.memory.prepare('SELECT id, text, at FROM message WHERE name = ? ORDER BY id DESC').all(name);
    return { status: 200, body: messages };
  }
}

function send(response: ServerResponse, { status, headers = {}, body }: Answer): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}
