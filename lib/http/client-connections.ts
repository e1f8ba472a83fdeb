import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { OnApplicationShutdown } from '@nestjs/common';
import type { HttpAdapterHost } from '@nestjs/core';
import type { HttpExchange } from './http-exchange.js';
import type { ResolvedHttpOptions } from './http-options.js';

/**
 * The most answers on one connection that wait behind a held request of the same connection. Node stops reading from a
 * connection with many waiting answers, and no longer notices that the client disconnects.
 */
const MAX_WAITING_ANSWERS = 16;

/**
 * Knows the connections that requests for tasks came from, until their answers are sent.
 *
 * Node emits `close` on a response only when the response owns the socket. A response that waits behind an earlier
 * response of its connection (pipelining) owns none, so the class listens to the socket: one listener for each
 * connection, however many requests it carries.
 */
export class ClientConnections implements OnApplicationShutdown {
  private readonly connections = new Map<Socket, ClientConnection>();
  private closingTimer: NodeJS.Timeout | undefined;
  /** Called when a connection has no unsent answer any more. */
  private onChange = (): void => {};

  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly options: false | Pick<ResolvedHttpOptions, 'closingInterval'>,
  ) {}

  /** The number of connections with requests whose answers are not sent. */
  get size(): number {
    return this.connections.size;
  }

  /** Follows the response of a request until it is sent or its client disconnects. */
  add({ socket, raw }: HttpExchange): void {
    if (!socket || socket.destroyed || raw.writableFinished) return;
    let connection = this.connections.get(socket);
    if (!connection) {
      connection = new ClientConnection(socket, () => {
        this.connections.delete(socket);
        this.onChange();
      });
      this.connections.set(socket, connection);
    }
    connection.add(raw);
  }

  /** Destroys the connection of a request when too many answers wait on it. Must be called after an answer. */
  checkWaiting({ socket }: HttpExchange): void {
    if (socket) this.connections.get(socket)?.checkWaiting();
  }

  /**
   * Calls the listener when the client of a request disconnects before the answer is sent. {@link add} must have been
   * called for the request.
   *
   * @returns a function that removes the listener
   */
  onDisconnect({ socket, raw }: HttpExchange, listener: () => void): () => void {
    // A stream of HTTP/2 closes without its socket.
    raw.once('close', listener);
    const connection = socket && this.connections.get(socket);
    connection?.listeners.add(listener);
    return () => {
      raw.off('close', listener);
      connection?.listeners.delete(listener);
    };
  }

  /**
   * Waits until all answers that have ended are sent, because a server that closes cuts such answers off. Also begins to
   * destroy the connections of clients that do not read their answers, because the server would wait for them.
   *
   * @returns a promise that resolves after at most twice the closing interval
   */
  async drain(): Promise<void> {
    const server = this.adapterHost.httpAdapter?.getHttpServer() as Partial<Server> | undefined;
    if (!server || !this.options || this.closingTimer) return;
    for (const connection of this.connections.values()) connection.destroyIfStuck();
    let rounds = 0;
    const sent = new Promise<void>((resolve) => {
      this.onChange = () => {
        if (rounds >= 2 || !this.isSending) resolve();
      };
    });
    const timer = setInterval(() => {
      rounds++;
      for (const connection of this.connections.values()) connection.destroyIfStuck();
      // A connection may have been kept alive behind an answer that was sent after the server stopped listening.
      if (!server.listening) server.closeIdleConnections?.();
      this.onChange();
    }, this.options.closingInterval);
    this.closingTimer = timer;
    this.onChange();
    await sent;
    this.onChange = () => {};
    timer.unref();
  }

  /** Nest calls this hook after the server has closed. */
  onApplicationShutdown(): void {
    clearInterval(this.closingTimer);
    this.closingTimer = undefined;
  }

  private get isSending(): boolean {
    for (const connection of this.connections.values()) if (connection.isSending) return true;
    return false;
  }
}

/** One connection, with the responses that are not sent. */
class ClientConnection {
  readonly listeners = new Set<() => void>();
  private readonly unsent = new Set<ServerResponse>();
  /** The response that had ended at the last check and still owned the socket. */
  private stuck: ServerResponse | undefined;

  constructor(
    private readonly socket: Socket,
    private readonly onEmpty: () => void,
  ) {
    socket.once('close', this.close);
  }

  /** Whether an answer has ended that is not sent. */
  get isSending(): boolean {
    for (const { writableEnded } of this.unsent) if (writableEnded) return true;
    return false;
  }

  add(response: ServerResponse): void {
    if (this.unsent.has(response)) return;
    this.unsent.add(response);
    const remove = () => this.remove(response);
    response.once('finish', remove).once('close', remove);
  }

  checkWaiting(): void {
    if (this.listeners.size === 0) return;
    let waiting = 0;
    for (const response of this.unsent) if (response.writableEnded && !response.socket) waiting++;
    if (waiting > MAX_WAITING_ANSWERS) this.socket.destroy();
  }

  /** Destroys the socket when the client has not read an answer that had ended at the call before. */
  destroyIfStuck(): void {
    for (const response of this.unsent) {
      // A response without the socket waits for an earlier one, which may belong to the application.
      if (!response.writableEnded || !response.socket) continue;
      if (response === this.stuck) this.socket.destroy();
      this.stuck = response;
      return;
    }
  }

  private remove(response: ServerResponse): void {
    this.unsent.delete(response);
    if (this.unsent.size > 0) return;
    this.socket.off('close', this.close);
    this.onEmpty();
  }

  private readonly close = (): void => {
    for (const listener of [...this.listeners]) listener();
    this.unsent.clear();
    this.onEmpty();
  };
}
