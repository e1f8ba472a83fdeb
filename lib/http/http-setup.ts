import type { OnModuleInit } from '@nestjs/common';
import type { ApplicationConfig, HttpAdapterHost } from '@nestjs/core';
import { TaskNotFoundError } from '../errors.js';
import { HttpExchange } from './http-exchange.js';
import type { HttpRequest, ResolvedHttpOptions } from './http-options.js';
import type { OwnRoutes } from './own-routes.js';
import { problemOf } from './problem-details.js';
import type { TaskHttpInterceptor } from './task-http.interceptor.js';
import type { TaskLinks } from './task-links.js';

export interface HttpSetupDeps {
  readonly config: ApplicationConfig;
  readonly adapterHost: HttpAdapterHost;
  readonly interceptor: TaskHttpInterceptor;
  readonly links: TaskLinks;
  readonly ownRoutes: OwnRoutes;
  readonly options: false | ResolvedHttpOptions;
}

/** Registers the interceptor, and on Fastify a route for overlong ids, with the application. */
export class HttpSetup implements OnModuleInit {
  constructor(private readonly deps: HttpSetupDeps) {}

  /**
   * Registers the interceptor. The module must call this method from its own `configure()`, which Nest calls after
   * `app.useGlobalInterceptors()` and before it reads the routes. So the interceptor is the innermost of the global
   * interceptors: it gets the return value of a handler before an interceptor of the application wraps the value into
   * an envelope or serialises it. Under `APP_INTERCEPTOR` the interceptor would be the outermost.
   *
   * @throws ConfigurationError when the application has a route with the path of the endpoint
   */
  configure(): void {
    const { config, interceptor, options, ownRoutes } = this.deps;
    if (!options) return;
    ownRoutes.check();
    config.addGlobalInterceptor(interceptor);
  }

  /** Nest calls this hook after it has registered the routes, while the server still accepts further routes. */
  onModuleInit(): void {
    const { adapterHost, options } = this.deps;
    if (options && adapterHost.httpAdapter?.getType() === 'fastify') this.answerOverlongIds();
  }

  /**
   * Answers requests with ids of more than 100 characters with 404, as for every other unknown id, because no id is
   * that long. Fastify would answer 414 before it calls a handler. A wildcard route has no such limit, and Fastify
   * prefers every other route of the application to it.
   */
  private answerOverlongIds(): void {
    const { adapterHost, links } = this.deps;
    const { httpAdapter } = adapterHost;
    const url = `${links.base}/*`;
    const answer = (request: HttpRequest & { params: Record<string, string> }, reply: { callNotFound(): void }) => {
      const overlong = request.params['*'] ?? '';
      const problem = problemOf(new TaskNotFoundError(overlong));
      if (!problem || overlong.includes('/')) return reply.callNotFound();
      const { body, headers } = problem;
      new HttpExchange(httpAdapter, request, reply).answer({
        status: body.status,
        headers,
        body: JSON.stringify(body),
      });
    };
    const fastify = httpAdapter.getInstance<{ hasRoute(route: { method: string; url: string }): boolean }>();
    if (!fastify.hasRoute({ method: 'GET', url })) httpAdapter.get(url, answer);
    if (!fastify.hasRoute({ method: 'DELETE', url })) httpAdapter.delete(url, answer);
  }
}
