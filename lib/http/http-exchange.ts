import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { waitPreference, type WaitPreference } from './request-preferences.js';
import type { HttpRequest } from './http-options.js';

/** The properties that a routed request has on every platform. */
interface RoutedRequest extends HttpRequest {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly query: Readonly<Record<string, unknown>> | undefined;
  readonly ip?: string | undefined;
  /** On Express; on Fastify it belongs to `raw`. */
  readonly socket?: Socket | undefined;
  readonly raw?: { readonly socket?: Socket | undefined };
}

/** The members of Fastify's `Reply` that are used here. Express's `Response` extends Node's response and lacks them. */
interface WrappedResponse {
  readonly raw: ServerResponse;
  hijack(): unknown;
  getHeaders(): OutgoingHttpHeaders;
}

/** A complete response. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/**
 * One request and its response, with the same methods on Express and on Fastify.
 *
 * The platform sends an immediate answer, with all its hooks. A later answer is written to Node's response
 * ({@link detach}) after Nest has finished with the request. So an interceptor of the application that limits the time
 * of a handler does not cut the answer off, and a client that waits costs one connection instead of a whole pipeline of
 * pending promises.
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

  /**
   * Returns the value of a header. Node joins repeated headers where it may; otherwise the first value counts.
   *
   * @param name in lower case
   */
  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  get isHead(): boolean {
    return (this.request as RoutedRequest).method === 'HEAD';
  }

  /** Node's response. */
  get raw(): ServerResponse {
    return isWrapped(this.response) ? this.response.raw : (this.response as ServerResponse);
  }

  /**
   * The connection of the client. Node's response does not name it while the response waits behind an earlier response
   * of the same connection (pipelining).
   */
  get socket(): Socket | undefined {
    const { socket, raw } = this.request as RoutedRequest;
    return raw?.socket ?? socket;
  }

  /**
   * The address of the client: the remote address of the socket, or the address that a proxy reports when the
   * application trusts the proxy. `undefined` on a Unix socket.
   */
  get clientAddress(): string | undefined {
    return (this.request as RoutedRequest).ip ?? this.socket?.remoteAddress;
  }

  /** Whether the answer was sent already, or the client has disconnected. */
  get isOver(): boolean {
    return this.raw.headersSent || this.isGone;
  }

  /** Whether the client has disconnected. */
  get isGone(): boolean {
    return this.raw.destroyed || this.socket?.destroyed === true;
  }

  waitPreference(longest: number): WaitPreference | undefined {
    return waitPreference(this.request.headers, (this.request as RoutedRequest).query?.['wait'], longest);
  }

  /** Adds a header name to `Vary`. Must be called before {@link detach}. */
  vary(header: string): void {
    this.adapter.appendHeader?.(this.response, 'Vary', header);
  }

  /** Sets a header of the response. Must be called before {@link detach}. */
  setHeader(name: string, value: string): void {
    this.adapter.setHeader?.(this.response, name, value);
  }

  /**
   * Takes the response over from the platform, with the headers that platform and application have set so far (CORS).
   */
  detach(): ServerResponse {
    if (!isWrapped(this.response)) return (this.detached = this.response as ServerResponse);
    const { raw } = this.response;
    this.response.hijack();
    for (const [name, value] of Object.entries(this.response.getHeaders())) {
      if (value !== undefined) raw.setHeader(name, value);
    }
    return (this.detached = raw);
  }

  /** Sends the answer, unless the exchange {@link isOver}. */
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
