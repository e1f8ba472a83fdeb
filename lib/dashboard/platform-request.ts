import type { IncomingMessage } from 'node:http';
import type { ActBody } from './api/acts.js';
import type { DashboardRequest } from './dashboard-options.js';
import { DashboardRefusal } from './problem-answer.js';

/** A request whose properties both platforms have. */
export interface PlatformRequest extends DashboardRequest {
  readonly url: string;
  readonly originalUrl?: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: unknown;
  readonly body?: unknown;
  readonly raw?: IncomingMessage;
}

/** The most bytes of a body that a platform has not parsed. */
const LARGEST_BODY = 2_000_000;

/** The body as the platform has parsed it, or parsed here when the application has switched parsing off. */
export async function bodyOf(request: PlatformRequest): Promise<ActBody> {
  const type = request.headers['content-type'] ?? '';
  if (!/^application\/json\b/.test(type))
    throw new DashboardRefusal(415, 'Unsupported Media Type', 'JSON_ONLY', 'The body of a request has to be JSON.');
  const body = request.body ?? (await readBody(request.raw ?? (request as unknown as IncomingMessage)));
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as ActBody;
  throw new DashboardRefusal(400, 'Bad Request', 'JSON_ONLY', 'The body of a request has to be a JSON object.');
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  if (request.readableEnded) return undefined;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST_BODY)
      throw new DashboardRefusal(
        413,
        'Content Too Large',
        'BODY_TOO_LARGE',
        `The body is larger than ${LARGEST_BODY} bytes.`,
      );
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    return undefined;
  }
}
