import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Figures } from './figures.js';

export interface HealthServerDeps {
  /** Whether every place has a process that takes tasks. */
  readonly isReady: () => boolean;
  readonly figures: () => Promise<Figures>;
}

/** Answers probes and Prometheus: `/live`, `/ready` and `/metrics`. It says nothing about the tasks themselves. */
export class HealthServer {
  private readonly server: Server;

  constructor(private readonly deps: HealthServerDeps) {
    this.server = createServer(({ method, url = '' }, response) => {
      if (method !== 'GET' && method !== 'HEAD') return answer(response, 405, 'Only GET and HEAD.\n');
      void this.handle(url.split('?')[0] as string, response).catch(() =>
        answer(response, 500, 'The figures cannot be read.\n'),
      );
    });
  }

  /** @returns the port @throws Error when the address is in use */
  async listen({ host, port }: { readonly host: string; readonly port: number }): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject).listen(port, host, resolve);
    });
    return (this.server.address() as AddressInfo).port;
  }

  /** Ends also the connections that a prober keeps open. */
  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private async handle(path: string, response: ServerResponse): Promise<void> {
    if (path === '/live') return answer(response, 200, 'live\n');
    if (path === '/ready') {
      const isReady = this.deps.isReady();
      return answer(response, isReady ? 200 : 503, isReady ? 'ready\n' : 'not ready\n');
    }
    if (path === '/metrics') {
      const { contentType, text } = await this.deps.figures();
      return answer(response, 200, text, contentType);
    }
    answer(response, 404, 'The paths are /live, /ready and /metrics.\n');
  }
}

function answer(
  response: ServerResponse,
  status: number,
  text: string,
  contentType = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-store' }).end(text);
}
