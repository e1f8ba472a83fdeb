import type { ServerResponse } from 'node:http';
import { Logger, type OnModuleDestroy } from '@nestjs/common';
import { isFinal, type TaskRecord } from '../engine/task.js';
import type { TaskResults } from '../results/task-results.js';
import type { Observer } from '../results/watched-task.js';

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

/**
 * Keeps requests open that are answered over time: long polls and event streams. Each request ends at the latest when
 * its client disconnects or the application closes.
 *
 * Requests use callbacks and not promises. Thousands of them may wait in one process, and each generator, signal and
 * pending promise costs memory while a request waits, and time when all requests are answered.
 */
export class HeldRequests implements OnModuleDestroy {
  private readonly logger = new Logger('TaskQueue');
  private readonly held = new Set<HeldRequest>();
  private closing = false;

  constructor(private readonly results: TaskResults) {}

  /** The number of open requests. */
  get size(): number {
    return this.held.size;
  }

  /**
   * Keeps a request open until its task is final, its client disconnects, the application closes, or the timeout has
   * passed.
   *
   * @param timeout milliseconds; default: no limit
   */
  keepOpen(response: ServerResponse, id: string, responder: Responder, timeout?: number): void {
    const request = new HeldRequest(response, responder, this.held, this.logger);
    this.held.add(request);
    if (this.closing || response.destroyed) request.finish();
    else request.start(this.results.follow(id, request), timeout);
  }

  /**
   * Answers all open requests. Nest calls this hook first at shutdown, and the server closes only once no client waits.
   */
  onModuleDestroy(): void {
    this.closing = true;
    for (const request of this.held) request.finish();
  }
}

/** One open request. It observes its task until the request is over. */
class HeldRequest implements Observer {
  readonly wantsChanges = true;
  private unfollow: (() => void) | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly response: ServerResponse,
    private readonly responder: Responder,
    private readonly held: Set<HeldRequest>,
    private readonly logger: Logger,
  ) {}

  start(unfollow: () => void, timeout: number | undefined): void {
    this.unfollow = unfollow;
    if (timeout !== undefined) this.timer = setTimeout(() => this.finish(), timeout);
    this.response.once('close', this.release);
  }

  next(record: TaskRecord): void {
    this.respond(() => this.responder.send(record));
    if (isFinal(record.state)) this.release();
  }

  fail(error: unknown): void {
    this.finish(error);
  }

  finish(error?: unknown): void {
    this.release();
    this.respond(() => this.responder.finish(error));
  }

  private readonly release = (): void => {
    clearTimeout(this.timer);
    this.unfollow?.();
    this.response.off('close', this.release);
    if (this.held.delete(this)) this.responder.released?.();
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
      this.response.destroy();
    }
  }
}
