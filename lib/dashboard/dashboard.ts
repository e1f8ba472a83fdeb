import type { IncomingMessage } from 'node:http';
import type { HttpAdapterHost } from '@nestjs/core';
import { HttpExchange } from '../http/http-exchange.js';
import { packageVersion } from '../package-location.cjs';
import type { Acts, ActBody } from './api/acts.js';
import { queryOf, type Query } from './api/query.js';
import type { Reads } from './api/reads.js';
import type { Assets } from './assets.js';
import type { CsrfTokens } from './csrf-tokens.js';
import type { DashboardRequest, ResolvedDashboardOptions } from './dashboard-options.js';
import type { LiveFeed } from './live/live-feed.js';
import type { LiveStreams } from './live/live-streams.js';
import type { FirstView } from './first-view.js';
import { pageOf, rootFrom, themeOf } from './page.js';
import { DashboardRefusal, internalProblem, problemAnswerOf } from './problem-answer.js';
import type { SharedReads } from './shared-reads.js';
import { PackageLogger } from '../package-logger.js';
import { within } from './within.js';

export interface DashboardDeps {
  readonly options: ResolvedDashboardOptions;
  readonly reads: Reads;
  readonly acts: Acts;
  readonly assets: Assets;
  readonly tokens: CsrfTokens;
  readonly feed: LiveFeed;
  readonly streams: LiveStreams;
  readonly shared: SharedReads;
  readonly firstView: FirstView;
  readonly adapterHost: HttpAdapterHost;
}

/** The page loads only its own files, and no script or style stands in its HTML. */
const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'X-Robots-Tag': 'noindex',
};
/** The views, and those that show one of what they list. */
export const VIEWS: readonly string[] = ['tasks', 'errors', 'workflows', 'schedules', 'workers'];
export const DETAILED: readonly string[] = ['tasks', 'workflows'];
/** Milliseconds for which a page waits for the store before it comes without what is in it. */
export const PATIENCE = 250;
const NOT_STORED = 'private, no-store';
/** The most bytes of a body that a platform has not parsed. */
const LARGEST_BODY = 2_000_000;
/** The most tasks that one page follows. */
const MOST_FOLLOWED = 200;

/** A request whose properties both platforms have. */
interface PlatformRequest extends DashboardRequest {
  readonly url: string;
  readonly originalUrl?: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: unknown;
  readonly body?: unknown;
  readonly raw?: IncomingMessage;
}

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
    return this.answer(request, response, async (exchange, asked) => {
      const { options, assets, tokens, firstView } = this.deps;
      const user = await this.userOf(asked);
      const [address, names] = [asked.originalUrl ?? asked.url, await assets.names()];
      const settings = {
        root: options.publicPath ?? rootFrom(address, depth),
        title: options.title,
        readOnly: await isReadOnly(options, asked),
        // A page without one asks for it when the reader changes something.
        token: (await within(tokens.create(user ?? ''), PATIENCE)) ?? '',
        user: user ?? null,
        version: packageVersion() ?? null,
        theme: themeOf(exchange.header('cookie')),
        icon: names.icon,
      };
      const search = address.includes('?') ? address.slice(address.indexOf('?')) : '';
      const html = pageOf(settings, names, depth === 0 ? await firstView.render(settings, search) : undefined);
      send(exchange, 200, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': NOT_STORED }, html);
    });
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
      send(
        exchange,
        200,
        {
          'Content-Type': type,
          // The name of a file changes with its content.
          'Cache-Control': 'private, max-age=31536000, immutable',
          ...(encoding !== 'identity' && { 'Content-Encoding': encoding }),
          Vary: 'Accept-Encoding',
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
      const user = await this.userOf(asked);
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
    const user = await this.userOf(exchange.request as PlatformRequest);
    sendJson(exchange, 200, { token: await this.deps.tokens.create(user ?? '') });
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

  private async userOf(request: PlatformRequest): Promise<string | undefined> {
    const user: unknown = await this.deps.options.user(request);
    return typeof user === 'string' && user !== '' ? user : undefined;
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
    }
  }
}

/** A function that gives anything but `false` allows nothing. */
async function isReadOnly({ readOnly }: ResolvedDashboardOptions, request: DashboardRequest): Promise<boolean> {
  const answer: unknown = await readOnly(request);
  return answer !== false;
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

/** These headers replace those that a middleware such as helmet has set for the pages of the application. */
function setHeaders(exchange: HttpExchange): void {
  for (const [name, value] of Object.entries(PAGE_HEADERS)) exchange.setHeader(name, value);
}

/** The body as the platform has parsed it, or parsed here when the application has switched parsing off. */
async function bodyOf(request: PlatformRequest): Promise<ActBody> {
  const type = request.headers['content-type'] ?? '';
  if (!/^application\/json\b/.test(type))
    throw new DashboardRefusal(415, 'Unsupported Media Type', 'JSON_ONLY', 'The body of a request has to be JSON.');
  const body = request.body ?? (await readBody(request.raw ?? (request as unknown as IncomingMessage)));
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as ActBody;
  throw new DashboardRefusal(400, 'Bad Request', 'JSON_ONLY', 'The body of a request has to be a JSON object.');
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  if (request.readableEnded) return undefined;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST_BODY)
      throw new DashboardRefusal(
        413,
        'Content Too Large',
        'BODY_TOO_LARGE',
        `The body is larger than ${LARGEST_BODY} bytes.`,
      );
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    return undefined;
  }
}
