import type { ServerResponse } from 'node:http';
import type { OnModuleDestroy } from '@nestjs/common';
import type { HttpExchange } from '../../http/http-exchange.js';
import type { LiveEvent, LiveFeed } from './live-feed.js';

const HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  // `no-transform` stops compressing middleware from delaying events, `X-Accel-Buffering` stops nginx from doing so.
  'Cache-Control': 'private, no-cache, no-store, no-transform',
  'X-Accel-Buffering': 'no',
};
/** Milliseconds between two comments that keep proxies from closing a connection without data. */
const HEARTBEAT = 15_000;
/** Milliseconds after which a stream ends. The browser opens another one, for which the guards run again. */
const LONGEST = 5 * 60_000;
/** The most streams of this process. */
const MOST_STREAMS = 2_000;

/** Serves the event streams of open pages. */
export class LiveStreams implements OnModuleDestroy {
  private readonly open = new Set<() => void>();
  private closing = false;

  constructor(
    private readonly feed: LiveFeed,
    private readonly times: { readonly heartbeat: number; readonly longest: number } = {
      heartbeat: HEARTBEAT,
      longest: LONGEST,
    },
  ) {}

  /** The number of open streams. */
  get size(): number {
    return this.open.size;
  }

  get isFull(): boolean {
    return this.closing || this.open.size >= MOST_STREAMS;
  }

  /** @param tasks the ids of the tasks whose statuses the page shows */
  serve(exchange: HttpExchange, tasks: readonly string[]): void {
    const { socket } = exchange;
    const response = exchange.detach();
    response.writeHead(200, HEADERS);
    response.write('retry: 2000\n\n');
    const stream = new Stream(response);
    const unsubscribe = this.feed.subscribe(tasks, (event) => stream.send(event));
    const heartbeat = setInterval(() => stream.beat(), this.times.heartbeat).unref();
    const end = () => {
      if (!this.open.delete(end)) return;
      clearTimeout(limit);
      clearInterval(heartbeat);
      socket?.off('close', end);
      unsubscribe();
      response.end();
    };
    const limit = setTimeout(end, this.times.longest).unref();
    this.open.add(end);
    response.once('close', end);
    // A response that waits behind another one of its connection does not get `close`.
    socket?.once('close', end);
    if (socket?.destroyed) end();
  }

  /** The server closes only once no stream is open. */
  onModuleDestroy(): void {
    this.closing = true;
    for (const end of [...this.open]) end();
  }
}

/** Writes events to one page. A page that reads slowly gets fewer of them, but the last of each topic. */
class Stream {
  private readonly pending = new Map<string, LiveEvent>();

  constructor(private readonly response: ServerResponse) {
    response.on('drain', () => this.flush());
  }

  send(event: LiveEvent): void {
    if (this.response.writableNeedDrain) this.pending.set(event.topic, event);
    else this.write(event);
  }

  beat(): void {
    if (!this.response.writableNeedDrain && !this.response.writableEnded) this.response.write(':\n\n');
  }

  private flush(): void {
    for (const [topic, event] of this.pending) {
      if (this.response.writableNeedDrain) return;
      this.pending.delete(topic);
      this.write(event);
    }
  }

  private write({ name, data }: LiveEvent): void {
    if (!this.response.writableEnded) this.response.write(`event: ${name}\ndata: ${data}\n\n`);
  }
}
