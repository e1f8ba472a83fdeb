import type { ServerResponse } from 'node:http';
import { Logger, type OnModuleDestroy } from '@nestjs/common';
import { isFinal, type TaskRecord } from '../engine/task.js';
import type { TaskResults } from '../results/task-results.js';
import type { Observer } from '../results/watched-task.js';

/** How a request is answered over time. What these throw is logged, and the client cut off. */
export interface Answering {
  /** The task as it is now, then at every change; a final one is the last. */
  show(record: TaskRecord): void;
  /** No more will be shown: the task cannot be followed (`error`), time is up, or the application closes. */
  finish(error?: unknown): void;
  /** It is over, whatever the reason: the client may have left. */
  over?(): void;
}

/**
 * The requests that are answered over time: long polls and streams of events. None outlives its client or the app.
 *
 * They are called back instead of being awaited: thousands may wait in one process, and each generator, signal and pending
 * promise has its price, in memory while they wait and in time once all are answered.
 */
export class HeldRequests implements OnModuleDestroy {
  private readonly logger = new Logger('TaskQueue');
  private readonly held = new Set<HeldRequest>();
  private closing = false;

  constructor(private readonly results: TaskResults) {}

  /** How many there are. */
  get size(): number {
    return this.held.size;
  }

  /** Holds one until its task is final, its client leaves, the application closes, or `timeout` milliseconds are over. */
  hold(response: ServerResponse, id: string, answering: Answering, timeout?: number): void {
    const request = new HeldRequest(response, answering, this.held, this.logger);
    this.held.add(request);
    if (this.closing || response.destroyed) request.finish();
    else request.begin(this.results.follow(id, request), timeout);
  }

  /** Nest's first hook at shutdown: the server closes only once nobody is waiting for an answer any more. */
  onModuleDestroy(): void {
    this.closing = true;
    for (const request of this.held) request.finish();
  }
}

/** One of them, until its task is final, its client leaves, or it is to wait no longer, whatever comes first. */
class HeldRequest implements Observer {
  readonly wantsChanges = true;
  private leave: (() => void) | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly response: ServerResponse,
    private readonly answering: Answering,
    private readonly held: Set<HeldRequest>,
    private readonly logger: Logger,
  ) {}

  begin(leave: () => void, timeout: number | undefined): void {
    this.leave = leave;
    if (timeout !== undefined) this.timer = setTimeout(() => this.finish(), timeout);
    this.response.once('close', this.release);
  }

  next(record: TaskRecord): void {
    this.attempt(() => this.answering.show(record));
    if (isFinal(record.state)) this.release();
  }

  fail(error: unknown): void {
    this.finish(error);
  }

  finish(error?: unknown): void {
    this.release();
    this.attempt(() => this.answering.finish(error));
  }

  private readonly release = (): void => {
    clearTimeout(this.timer);
    this.leave?.();
    this.response.off('close', this.release);
    if (this.held.delete(this)) this.answering.over?.();
  };

  /** Nobody is there any more to catch what goes wrong. */
  private attempt(answer: () => void): void {
    try {
      answer();
    } catch (error) {
      this.release();
      this.logger.error(error);
      this.response.destroy();
    }
  }
}
