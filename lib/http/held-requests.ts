import type { OnModuleDestroy } from '@nestjs/common';
import { isFinal, type TaskRecord } from '../engine/task.js';
import type { TaskResults } from '../results/task-results.js';
import type { Observer } from '../results/watched-task.js';
import type { ClientConnections } from './client-connections.js';
import type { HttpExchange } from './http-exchange.js';
import type { ResolvedHttpOptions } from './http-options.js';
import { HeldLimitError } from './problem-details.js';
import { PackageLogger } from '../package-logger.js';

/**
 * Answers one open request. `HeldRequests` logs an error that `send` or `finish` throws, and disconnects the client.
 */
export interface Responder {
  /** Called with the current record of the task, then with each changed record. A final record is the last. */
  send(record: TaskRecord): void;
  /**
   * Called when no further record follows: the task cannot be watched (`error`), the timeout has passed, or
   * the application closes.
   */
  finish(error?: unknown): void;
  /** Called once, when the request is over for any reason. The client may have disconnected. */
  released?(): void;
}

export interface HeldRequestsDeps {
  readonly results: TaskResults;
  readonly connections: ClientConnections;
  readonly options: false | Pick<ResolvedHttpOptions, 'maxHeld' | 'maxHeldPerClient'>;
}

/**
 * Keeps requests open that are answered over time: long polls and event streams. Each request ends at the latest when
 * its client disconnects or the application closes.
 *
 * Requests use callbacks and not promises. Thousands of them may wait in one process, and each generator, signal and
 * pending promise costs memory while a request waits, and time when all requests are answered.
 */
export class HeldRequests implements OnModuleDestroy {
  private readonly logger = new PackageLogger();
  private readonly held = new Set<HeldRequest>();
  /** The number of open requests by the address of the client. */
  private readonly byClient = new Map<string, number>();
  private readonly warnedOf = new Set<HeldLimitError['of']>();
  private closing = false;

  constructor(private readonly deps: HeldRequestsDeps) {}

  /** The number of open requests. */
  get size(): number {
    return this.held.size;
  }

  /**
   * Checks that one more request may stay open. Must be called before {@link keepOpen} and before the exchange is
   * detached, in the same turn of the event loop.
   *
   * @throws HeldLimitError when too many requests are open: of all clients, or of this client
   */
  checkLimits({ clientAddress }: HttpExchange): void {
    const { options } = this.deps;
    if (!options || this.closing) return;
    if (this.held.size >= options.maxHeld) {
      throw this.refusal('all', `http.maxHeld (${options.maxHeld}) requests are open, so the endpoint answers 503.`);
    }
    // On a Unix socket all clients would be the same client.
    if (clientAddress === undefined) return;
    if ((this.byClient.get(clientAddress) ?? 0) < options.maxHeldPerClient) return;
    throw this.refusal(
      'client',
      `http.maxHeldPerClient (${options.maxHeldPerClient}) requests of the client ${clientAddress} are open, so the endpoint answers 429. If this is the address of a proxy, the application must trust the proxy.`,
    );
  }

  /**
   * Keeps a request open until its task is final, its client disconnects, the application closes, or the timeout has
   * passed.
   *
   * @param timeout milliseconds; default: no limit
   */
  keepOpen(exchange: HttpExchange, id: string, responder: Responder, timeout?: number): void {
    const { connections, results } = this.deps;
    const { clientAddress } = exchange;
    const request: HeldRequest = new HeldRequest(exchange, responder, this.logger, () => {
      this.held.delete(request);
      this.count(clientAddress, -1);
    });
    this.held.add(request);
    this.count(clientAddress, 1);
    if (this.closing || exchange.isGone) return request.finish();
    const stopListening = connections.onDisconnect(exchange, request.release);
    request.start({ stopListening, unfollow: results.follow(id, request) }, timeout);
  }

  /**
   * Answers all open requests, and waits until the answers are sent or the clients have had the time to read them. Nest
   * calls this hook first at shutdown, and the server closes only once no client waits.
   */
  async onModuleDestroy(): Promise<void> {
    this.closing = true;
    for (const request of this.held) request.finish();
    await this.deps.connections.drain();
  }

  private count(client: string | undefined, change: 1 | -1): void {
    if (client === undefined) return;
    const count = (this.byClient.get(client) ?? 0) + change;
    if (count === 0) this.byClient.delete(client);
    else this.byClient.set(client, count);
  }

  /** Logs only the first refusal of each kind: a client could fill the log otherwise. */
  private refusal(of: HeldLimitError['of'], reason: string): HeldLimitError {
    if (!this.warnedOf.has(of)) this.logger.warn(`${reason} Further refusals are not logged.`);
    this.warnedOf.add(of);
    return new HeldLimitError(of);
  }
}

/** One open request. It observes its task until the request is over. */
class HeldRequest implements Observer {
  readonly wantsChanges = true;
  private stopListening: (() => void) | undefined;
  private unfollow: (() => void) | undefined;
  private timer: NodeJS.Timeout | undefined;
  private isReleased = false;

  constructor(
    private readonly exchange: HttpExchange,
    private readonly responder: Responder,
    private readonly logger: PackageLogger,
    private readonly onRelease: () => void,
  ) {}

  /** @param observed ends the observation of the connection and of the task */
  start(observed: { stopListening(): void; unfollow(): void }, timeout: number | undefined): void {
    this.stopListening = observed.stopListening;
    this.unfollow = observed.unfollow;
    if (timeout !== undefined) this.timer = setTimeout(() => this.finish(), timeout);
  }

  next(record: TaskRecord): void {
    this.respond(() => this.responder.send(record));
    if (!isFinal(record.state)) return;
    this.unfollow?.();
    // An event stream whose client reads slowly has not written its last event. Its `close` releases the request.
    if (this.exchange.raw.writableEnded) this.release();
  }

  fail(error: unknown): void {
    this.finish(error);
  }

  finish(error?: unknown): void {
    this.release();
    this.respond(() => this.responder.finish(error));
  }

  readonly release = (): void => {
    if (this.isReleased) return;
    this.isReleased = true;
    clearTimeout(this.timer);
    this.stopListening?.();
    this.unfollow?.();
    this.onRelease();
    this.responder.released?.();
  };

  /**
   * Nest has finished with the request and would not catch an error, so this method logs it and disconnects the client.
   */
  private respond(write: () => void): void {
    try {
      write();
    } catch (error) {
      this.release();
      this.logger.error(error);
      this.exchange.raw.destroy();
    }
  }
}
