import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { waitPreference, type WaitPreference } from './request-preferences.js';
import type { HttpRequest } from './http-options.js';

/** What a request has on every platform once it is routed. */
interface RoutedRequest extends HttpRequest {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly query: Readonly<Record<string, unknown>> | undefined;
}

/** The part of Fastify's `Reply` that Express's `Response`, being Node's own, does not have. */
interface WrappedResponse {
  readonly raw: ServerResponse;
  hijack(): unknown;
  getHeaders(): OutgoingHttpHeaders;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/**
 * One request and its answer, the same on Express and on Fastify.
 *
 * An answer given at once goes the platform's own way, with its hooks. One that comes later is written to Node's
 * response ({@link detach}), after Nest is done with the request: interceptors of the app that limit how long a handler
 * may take do not cut it off, and a client who waits costs a connection and not a whole pipeline of pending promises.
 */
export class HttpExchange {
  private detached: ServerResponse | undefined;

  constructor(
    private readonly adapter: AbstractHttpAdapter,
    readonly request: HttpRequest,
    private readonly response: unknown,
  ) {}

  get id(): string {
    const { id } = (this.request as RoutedRequest).params;
    return typeof id === 'string' ? id : '';
  }

  /** Node has joined what may be joined; of what is still several values the first counts. */
  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  get isHead(): boolean {
    return (this.request as RoutedRequest).method === 'HEAD';
  }

  /** Answered already, or without anybody to be answered. */
  get isOver(): boolean {
    const raw = isWrapped(this.response) ? this.response.raw : (this.response as ServerResponse);
    return raw.headersSent || raw.destroyed;
  }

  waitPreference(longest: number): WaitPreference | undefined {
    return waitPreference(this.request.headers, (this.request as RoutedRequest).query?.['wait'], longest);
  }

  /** To be called while the platform still answers. */
  vary(header: string): void {
    this.adapter.appendHeader?.(this.response, 'Vary', header);
  }

  /** Takes the answer out of the platform's hands, with the headers that it and the app have set so far (CORS). */
  detach(): ServerResponse {
    if (!isWrapped(this.response)) return (this.detached = this.response as ServerResponse);
    const { raw } = this.response;
    this.response.hijack();
    for (const [name, value] of Object.entries(this.response.getHeaders())) {
      if (value !== undefined) raw.setHeader(name, value);
    }
    return (this.detached = raw);
  }

  answer({ status, headers, body }: Answer): void {
    if (this.isOver) return;
    if (this.detached) {
      const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
      this.detached.writeHead(status, { ...headers, ...length }).end(body);
    } else {
      for (const [name, value] of Object.entries(headers)) this.adapter.setHeader?.(this.response, name, value);
      this.adapter.reply(this.response, body, status);
    }
  }
}

function isWrapped(response: unknown): response is WrappedResponse {
  return typeof response === 'object' && response !== null && 'raw' in response && 'hijack' in response;
}
