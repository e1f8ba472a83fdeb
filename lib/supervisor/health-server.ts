import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Figures } from './figures.js';

export interface HealthServerDeps {
  /** Why the command is not ready; empty when every process takes tasks and the engine answers it. */
  readonly problems: () => Promise<readonly string[]>;
  readonly figures: () => Promise<Figures>;
}

/** Answers probes and Prometheus: `/live`, `/ready` and `/metrics`. It says nothing about the tasks themselves. */
export class HealthServer {
  private readonly server: Server;

  constructor(private readonly deps: HealthServerDeps) {
    this.server = createServer(({ method, url = '' }, response) => {
      if (method !== 'GET' && method !== 'HEAD') return answer(response, 405, 'Only GET and HEAD.\n');
      void this.handle(url.split('?')[0] as string, response).catch(() =>
        answer(response, 500, 'The processes cannot be asked.\n'),
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
      const problems = await this.deps.problems();
      if (problems.length === 0) return answer(response, 200, 'ready\n');
      return answer(response, 503, ['not ready', ...new Set(problems)].map((line) => `${line}\n`).join(''));
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
