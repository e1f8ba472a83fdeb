import type { ServerResponse } from 'node:http';
import type { OnModuleDestroy } from '@nestjs/common';
import { TaskQueueError } from '../errors.js';
import type { TaskRecord } from '../engine/task.js';
import type { HttpExchange } from './http-exchange.js';
import type { HeldRequests } from './held-requests.js';
import type { ResolvedHttpOptions } from './http-options.js';
import type { TaskView, View } from './task-view.js';

const HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  // `no-transform` keeps compressing middleware from holding events back, the last one nginx from doing so.
  'Cache-Control': 'private, no-cache, no-store, no-transform',
  'X-Accel-Buffering': 'no',
};

/** Sent first, so that the headers arrive: after a broken connection an `EventSource` waits so many milliseconds. */
const RECONNECT_AFTER = 'retry: 2000\n\n';
const SIGN_OF_LIFE = ':\n\n';

export interface EventStreamsDeps {
  readonly view: TaskView;
  readonly requests: HeldRequests;
  readonly options: false | Pick<ResolvedHttpOptions, 'heartbeat'>;
}

/**
 * Server-sent events: one `status` for each change of a task, the last one final, then the end.
 *
 * Written to Node's response instead of through Nest's `@Sse()`, whose Observables, stream and timer for each client
 * would cost several times what a client costs here; one timer serves them all.
 */
export class EventStreams implements OnModuleDestroy {
  private readonly streams = new Set<ServerResponse>();
  private pulse: NodeJS.Timeout | undefined;

  constructor(private readonly deps: EventStreamsDeps) {}

  /** Answers with the task's changes, beginning with this record unless the client says that it has it. */
  open(exchange: HttpExchange, record: TaskRecord): void {
    const { view, requests } = this.deps;
    const lastSeen = exchange.header('last-event-id');
    const now = view.of(record);
    // An `EventSource` reconnects when a stream ends, also after the final event; this answer makes it stop.
    if (now.final && lastSeen === now.version) {
      return exchange.answer({ status: 204, headers: { 'Cache-Control': 'no-store' } });
    }
    const response = exchange.detach();
    response.writeHead(200, HEADERS);
    response.write(RECONNECT_AFTER);
    const stream = new EventStream(response, lastSeen);
    stream.write(now);
    if (now.final) return;
    this.enter(response);
    requests.hold(response, record.id, {
      show: (changed) => stream.write(view.of(changed)),
      finish(error) {
        // A client whose task was forgotten, or whose process closes, learns it when it connects again.
        if (error !== undefined && !(error instanceof TaskQueueError)) throw error;
        stream.end();
      },
      over: () => this.leave(response),
    });
  }

  onModuleDestroy(): void {
    clearInterval(this.pulse);
  }

  private enter(response: ServerResponse): void {
    this.streams.add(response);
    const { options } = this.deps;
    if (!options) return;
    this.pulse ??= setInterval(() => this.beat(), options.heartbeat).unref();
  }

  private leave(response: ServerResponse): void {
    this.streams.delete(response);
    if (this.streams.size > 0) return;
    clearInterval(this.pulse);
    this.pulse = undefined;
  }

  private beat(): void {
    for (const response of this.streams) if (!response.writableNeedDrain) response.write(SIGN_OF_LIFE);
  }
}

/** Writes each view that differs from the one before; somebody who reads slowly is spared those in between. */
class EventStream {
  /** The newest, for a client that has to read what came before first. */
  private waiting: View | undefined;

  constructor(
    private readonly response: ServerResponse,
    private seen: string | undefined,
  ) {}

  write(view: View): void {
    if (this.response.writableNeedDrain) {
      if (!this.waiting) this.response.once('drain', () => this.writeWaiting());
      this.waiting = view;
      return;
    }
    const { version, json, final } = view;
    if (version === this.seen) return;
    this.seen = version;
    const event = `id: ${version}\nevent: status\ndata: ${json}\n\n`;
    // The last event and the end in one packet: they may be for thousands at once.
    if (final) this.response.end(event);
    else this.response.write(event);
  }

  end(): void {
    this.waiting = undefined;
    this.response.end();
  }

  private writeWaiting(): void {
    const view = this.waiting;
    this.waiting = undefined;
    if (view) this.write(view);
  }
}
