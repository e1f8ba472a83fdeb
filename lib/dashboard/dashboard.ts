import type { HttpAdapterHost } from '@nestjs/core';
import { HttpExchange } from '../http/http-exchange.js';
import { PackageLogger } from '../package-logger.js';
import { NOT_STORED, setHeaders } from './answer-headers.js';
import type { Acts } from './api/acts.js';
import { queryOf, type Query } from './api/query.js';
import type { Reads } from './api/reads.js';
import type { Assets } from './assets.js';
import type { CsrfTokens } from './csrf-tokens.js';
import type { ResolvedDashboardOptions } from './dashboard-options.js';
import type { LiveFeed } from './live/live-feed.js';
import type { LiveStreams } from './live/live-streams.js';
import type { Pages } from './pages.js';
import { bodyOf, type PlatformRequest } from './platform-request.js';
import { DashboardRefusal, internalProblem, problemAnswerOf } from './problem-answer.js';
import { isReadOnly, userOf } from './requester.js';
import type { SharedReads } from './shared-reads.js';

export interface DashboardDeps {
  readonly options: ResolvedDashboardOptions;
  readonly reads: Reads;
  readonly acts: Acts;
  readonly assets: Assets;
  readonly tokens: CsrfTokens;
  readonly feed: LiveFeed;
  readonly streams: LiveStreams;
  readonly shared: SharedReads;
  readonly pages: Pages;
  readonly adapterHost: HttpAdapterHost;
}

/** The views, and those that show one of what they list. */
export const VIEWS: readonly string[] = ['tasks', 'errors', 'workflows', 'schedules', 'workers'];
export const DETAILED: readonly string[] = ['tasks', 'workflows'];
/** The most tasks that one page follows. */
const MOST_FOLLOWED = 200;

/** What a read of the API gets. */
interface ReadRequest {
  readonly id: string;
  readonly query: Query;
}

/** Answers the requests for the page, its files and its API. */
export class Dashboard {
  private readonly logger = new PackageLogger('TaskDashboard');
  private readonly resources: Readonly<Record<string, (request: ReadRequest) => Promise<unknown>>>;

  constructor(private readonly deps: DashboardDeps) {
    const { reads } = deps;
    this.resources = {
      overview: () => reads.overview(),
      series: ({ query }) => reads.series(query),
      tasks: ({ query }) => reads.tasks(query),
      task: ({ id }) => reads.task(id),
      value: ({ id, query }) => reads.value(id, query),
      status: ({ id }) => reads.status(id),
      logs: ({ id, query }) => reads.logs(id, query),
      errors: ({ query }) => reads.errors(query),
      workflow: ({ id }) => reads.workflow(id),
      schedules: () => reads.schedules(),
    };
  }

  /** @param depth how many segments the view has below the root */
  page(request: unknown, response: unknown, depth: number): Promise<void> {
    return this.answer(request, response, (exchange, asked) => this.deps.pages.answer(exchange, asked, depth));
  }

  /** On Fastify a view with an id or with a slash at the end of its address; or no view. */
  other(request: unknown, response: unknown): Promise<void> {
    const { originalUrl, url } = request as PlatformRequest;
    const path = (originalUrl ?? url).split('?')[0] ?? '';
    const root = `/${this.deps.options.path}/`;
    const [view, id, ...more] = path
      .slice(path.indexOf(root) + root.length)
      .split('/')
      .filter(Boolean);
    const isView = view === undefined || (id === undefined ? VIEWS : DETAILED).includes(view);
    if ((path.endsWith('/') || id !== undefined) && isView && more.length === 0)
      return this.page(request, response, [view, id].filter((segment) => segment !== undefined).length);
    return this.answer(request, response, () => {
      throw new DashboardRefusal(404, 'Not Found', 'NOT_FOUND', 'The dashboard has no such view.');
    });
  }

  asset(request: unknown, response: unknown): Promise<void> {
    return this.answer(request, response, async (exchange, { params, headers }) => {
      const asset = await this.deps.assets.read(params['name'] ?? '', headers['accept-encoding']);
      if (!asset) throw new DashboardRefusal(404, 'Not Found', 'ASSET_NOT_FOUND', 'The page has no such file.');
      const { type, encoding, body } = asset;
      exchange.vary('Accept-Encoding');
      send(
        exchange,
        200,
        {
          'Content-Type': type,
          // The name of a file changes with its content.
          'Cache-Control': 'private, max-age=31536000, immutable',
          ...(encoding !== 'identity' && { 'Content-Encoding': encoding }),
        },
        body,
      );
    });
  }

  read(request: unknown, response: unknown): Promise<void> {
    return this.answer(request, response, async (exchange, { params, query }) => {
      const { resource = '', id = '' } = params;
      const parsed = queryOf(query);
      if (resource === 'events') return this.stream(exchange, parsed);
      if (resource === 'token') return this.token(exchange);
      const read = Object.hasOwn(this.resources, resource) ? this.resources[resource] : undefined;
      if (!read) throw new DashboardRefusal(404, 'Not Found', 'NOT_FOUND', `There is no api/${resource}.`);
      sendJson(exchange, 200, await read({ id, query: parsed }));
    });
  }

  change(request: unknown, response: unknown): Promise<void> {
    return this.answer(request, response, async (exchange, asked) => {
      const { options, acts, shared, feed } = this.deps;
      const act = asked.params['act'] ?? '';
      const user = await userOf(options, asked);
      await this.checkOrigin(exchange, user ?? '');
      if (await isReadOnly(options, asked))
        throw new DashboardRefusal(
          403,
          'Forbidden',
          'READ_ONLY',
          'This dashboard shows everything and changes nothing.',
        );
      if (!acts.has(act)) throw new DashboardRefusal(404, 'Not Found', 'NOT_FOUND', `There is no act ${act}.`);
      const answer = await acts.perform(act, await bodyOf(asked), (user ?? 'unknown').slice(0, 200));
      shared.clear();
      feed.refresh();
      sendJson(exchange, 200, answer);
    });
  }

  private stream(exchange: HttpExchange, { watch = '' }: Query): void {
    const { streams } = this.deps;
    if (streams.isFull)
      throw new DashboardRefusal(503, 'Service Unavailable', 'TOO_MANY_STREAMS', 'Too many pages are open.');
    setHeaders(exchange);
    streams.serve(exchange, watch.split(',').filter(Boolean).slice(0, MOST_FOLLOWED));
  }

  private async token(exchange: HttpExchange): Promise<void> {
    const { options, tokens } = this.deps;
    const user = await userOf(options, exchange.request);
    sendJson(exchange, 200, { token: await tokens.create(user ?? '') });
  }

  /** Only a page of this dashboard can know a token, and only a page of the same origin can send the header. */
  private async checkOrigin(exchange: HttpExchange, user: string): Promise<void> {
    const site = exchange.header('sec-fetch-site');
    const isForeign = site !== undefined && site !== 'same-origin' && site !== 'none';
    if (isForeign || !(await this.deps.tokens.accepts(exchange.header('x-csrf-token'), user)))
      throw new DashboardRefusal(
        403,
        'Forbidden',
        'CSRF_TOKEN',
        'The request has no valid token of this dashboard. Load the page again.',
      );
  }

  private async answer(
    request: unknown,
    response: unknown,
    run: (exchange: HttpExchange, request: PlatformRequest) => Promise<void> | void,
  ): Promise<void> {
    const asked = request as PlatformRequest;
    const exchange = new HttpExchange(this.deps.adapterHost.httpAdapter, asked, response);
    try {
      await run(exchange, asked);
    } catch (error) {
      const problem = problemAnswerOf(error);
      if (!problem) this.logger.error(error);
      const body = problem ?? internalProblem();
      if (!exchange.isOver) sendJson(exchange, body.status, body, 'application/problem+json; charset=utf-8');
      // The client has the status, and must not take what it has for the whole answer.
      else exchange.raw.destroy();
    }
  }
}

function sendJson(
  exchange: HttpExchange,
  status: number,
  body: unknown,
  type = 'application/json; charset=utf-8',
): void {
  send(exchange, status, { 'Content-Type': type, 'Cache-Control': NOT_STORED }, JSON.stringify(body));
}

/** Writes to Node's response: interceptors and pipes of the application are for its own handlers. */
function send(
  exchange: HttpExchange,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string | Buffer,
): void {
  setHeaders(exchange);
  const response = exchange.detach();
  response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) }).end(body);
}
