import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { TaskQueueError } from '../errors.js';
import { isFinal, type TaskRecord } from '../results/task-record.js';
import { TaskResults } from '../results/task-results.js';
import type { Exchange } from './exchange.js';
import { HeldRequests } from './held-requests.js';
import type { ResolvedHttpOptions } from './http.options.js';
import { HTTP_OPTIONS } from './http.tokens.js';
import { TaskView, type View } from './task-view.js';

const HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  // `no-transform` keeps compressing middleware from holding events back, the last one nginx from doing so.
  'Cache-Control': 'private, no-cache, no-store, no-transform',
  'X-Accel-Buffering': 'no',
};

/** Sent first, so that the headers arrive: after a broken connection an `EventSource` waits so many milliseconds. */
const RECONNECT_AFTER = 'retry: 2000\n\n';
const SIGN_OF_LIFE = ':\n\n';

/**
 * Server-sent events: one `status` for each change of a task, the last one final, then the end.
 *
 * Written to Node's response instead of through Nest's `@Sse()`, whose Observables, stream and timer for each client
 * would cost several times what a client costs here; one timer serves them all.
 */
@Injectable()
export class EventStreams implements OnModuleDestroy {
  private readonly streams = new Set<ServerResponse>();
  private pulse: NodeJS.Timeout | undefined;

  constructor(
    private readonly results: TaskResults,
    private readonly view: TaskView,
    private readonly requests: HeldRequests,
    @Inject(HTTP_OPTIONS) private readonly options: false | Pick<ResolvedHttpOptions, 'heartbeat'>,
  ) {}

  /** Answers with the task's changes, beginning with this record unless the client says that it has it. */
  open(exchange: Exchange, record: TaskRecord): void {
    const lastSeen = exchange.header('last-event-id');
    const { final, version } = this.view.of(record);
    // An `EventSource` reconnects when a stream ends, also after the final event; this answer makes it stop.
    if (final && lastSeen === version) {
      return exchange.answer({ status: 204, headers: { 'Cache-Control': 'no-store' } });
    }
    const response = exchange.detach();
    response.writeHead(200, HEADERS);
    response.write(RECONNECT_AFTER);
    void this.requests.hold(response, undefined, (signal) => this.follow(response, record, lastSeen, signal));
  }

  onModuleDestroy(): void {
    clearInterval(this.pulse);
  }

  private async follow(
    response: ServerResponse,
    record: TaskRecord,
    lastSeen: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    this.enter(response);
    try {
      let seen = lastSeen;
      const write = ({ version, json, final }: View): boolean => {
        if (version === seen) return true;
        seen = version;
        const event = `id: ${version}\nevent: status\ndata: ${json}\n\n`;
        if (!final) return response.write(event);
        // The last event and the end in one packet: they may be for thousands at once.
        response.end(event);
        return true;
      };
      write(this.view.of(record));
      const changes = isFinal(record.state) ? [] : this.results.updates(record.id, signal);
      for await (const changed of changes) {
        // Somebody who reads slowly is given the newest status once there is room, and not all those in between.
        if (!write(this.view.of(changed))) await once(response, 'drain', { signal });
      }
    } catch (error) {
      // A client whose task was forgotten, or whose process closes, learns it when it connects again.
      if (!signal.aborted && !(error instanceof TaskQueueError)) throw error;
    } finally {
      this.leave(response);
    }
    response.end();
  }

  private enter(response: ServerResponse): void {
    this.streams.add(response);
    if (!this.options) return;
    this.pulse ??= setInterval(() => this.beat(), this.options.heartbeat).unref();
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
