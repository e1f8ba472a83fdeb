import { pipeline, type Writable } from 'node:stream';
import type { HttpExchange } from '../http/http-exchange.js';
import { compressor, encodingOf } from './content-encoding.js';

/** An answer whose client gets each piece at once, compressed if it accepts that. A client that has left gets nothing more. */
export class StreamedAnswer {
  private readonly target: Writable;
  /** Sends what was written so far, when a compressor holds it back. */
  private readonly flush: () => void;

  /** Sends the status and the headers at once: a browser prepares the page while the first piece is compressed. */
  constructor(exchange: HttpExchange, headers: Readonly<Record<string, string>>) {
    const encoding = encodingOf(exchange.header('accept-encoding'));
    exchange.vary('Accept-Encoding');
    const response = exchange.detach();
    response.writeHead(200, {
      ...headers,
      ...(encoding !== 'identity' && { 'Content-Encoding': encoding }),
      // Stops nginx from holding the first piece back.
      'X-Accel-Buffering': 'no',
    });
    response.flushHeaders();
    const compressing = exchange.isHead ? undefined : compressor(encoding);
    if (compressing) pipeline(compressing, response, () => undefined);
    this.target = compressing ?? response;
    this.flush = () => compressing?.flush();
  }

  write(piece: string): void {
    this.target.write(piece);
    this.flush();
  }

  end(piece = ''): void {
    this.target.end(piece);
  }
}
