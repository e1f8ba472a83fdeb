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
  // `no-transform` stops compressing middleware from delaying events, `X-Accel-Buffering` stops nginx from doing so.
  'Cache-Control': 'private, no-cache, no-store, no-transform',
  'X-Accel-Buffering': 'no',
};

/**
 * The milliseconds that an `EventSource` waits after a broken connection before it connects again. Each stream sends
 * this line first, so that the headers reach the client at once.
 */
const RECONNECT_AFTER = 'retry: 2000\n\n';

/** An empty comment, which clients ignore. */
const HEARTBEAT = ':\n\n';

export interface EventStreamsDeps {
  readonly view: TaskView;
  readonly requests: HeldRequests;
  readonly options: false | Pick<ResolvedHttpOptions, 'heartbeat'>;
}

/**
 * Serves server-sent events: one event `status` for each change of a task. The stream ends after the event with the
 * final status.
 *
 * The class writes to Node's response and not through Nest's `@Sse()`, whose Observables, stream and timer for each
 * client would cost several times as much as a client costs here. One timer serves all streams.
 */
export class EventStreams implements OnModuleDestroy {
  private readonly streams = new Set<ServerResponse>();
  private heartbeatTimer: NodeJS.Timeout | undefined;

  constructor(private readonly deps: EventStreamsDeps) {}

  /**
   * Sends the status of `record`, then the status at each change of the task. A client that has the first status
   * already, according to its `Last-Event-ID`, gets only the changes.
   */
  open(exchange: HttpExchange, record: TaskRecord): void {
    const { view, requests } = this.deps;
    const lastSeen = exchange.header('last-event-id');
    const first = view.of(record);
    // An `EventSource` reconnects whenever a stream ends, even after the final event. The status 204 stops it.
    if (first.final && lastSeen === first.version) {
      return exchange.answer({ status: 204, headers: { 'Cache-Control': 'no-store' } });
    }
    if (!first.final) requests.checkLimits(exchange);
    const response = exchange.detach();
    response.writeHead(200, HEADERS);
    const stream = new EventStream(response, lastSeen);
    stream.write(first);
    if (first.final) return;
    this.add(response);
    requests.keepOpen(exchange, record.id, {
      send: (changed) => stream.write(view.of(changed)),
      finish(error) {
        // The task was forgotten, or the application closes. The client learns the reason when it connects again.
        if (error !== undefined && !(error instanceof TaskQueueError)) throw error;
        stream.end();
      },
      released: () => this.remove(response),
    });
  }

  onModuleDestroy(): void {
    clearInterval(this.heartbeatTimer);
  }

  private add(response: ServerResponse): void {
    this.streams.add(response);
    const { options } = this.deps;
    if (!options) return;
    this.heartbeatTimer ??= setInterval(() => this.sendHeartbeats(), options.heartbeat).unref();
  }

  private remove(response: ServerResponse): void {
    this.streams.delete(response);
    if (this.streams.size > 0) return;
    clearInterval(this.heartbeatTimer);
    this.heartbeatTimer = undefined;
  }

  private sendHeartbeats(): void {
    for (const response of this.streams) if (isWritable(response)) response.write(HEARTBEAT);
  }
}

/**
 * Writes each view that differs from the one before. A client that reads slowly gets fewer views, but always the last.
 */
class EventStream {
  /** The newest view, kept until the client has read the data that was sent before. */
  private pending: View | undefined;
  private isStarted = false;

  constructor(
    private readonly response: ServerResponse,
    private lastVersion: string | undefined,
  ) {}

  write(view: View): void {
    if (!isWritable(this.response)) {
      if (!this.pending) this.response.once(this.response.socket ? 'drain' : 'socket', () => this.writePending());
      this.pending = view;
      return;
    }
    if (!this.isStarted) this.response.write(RECONNECT_AFTER);
    this.isStarted = true;
    const { version, json, final } = view;
    if (version === this.lastVersion) return;
    this.lastVersion = version;
    const event = `id: ${version}\nevent: status\ndata: ${json}\n\n`;
    // One packet carries the last event and the end of the stream, because thousands of streams may end at once.
    if (final) this.response.end(event);
    else this.response.write(event);
  }

  end(): void {
    this.pending = undefined;
    this.response.end();
  }

  private writePending(): void {
    const view = this.pending;
    this.pending = undefined;
    if (view) this.write(view);
  }
}

/**
 * Whether data would be sent now. A response without a socket waits behind an earlier response of its connection. Node
 * would buffer its data, and stop reading from a connection with much data: a disconnect would then go unnoticed.
 */
function isWritable(response: ServerResponse): boolean {
  return Boolean(response.socket) && !response.writableNeedDrain;
}
