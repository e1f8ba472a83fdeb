import type { OnModuleInit } from '@nestjs/common';
import type { ApplicationConfig, HttpAdapterHost } from '@nestjs/core';
import { TaskNotFoundError } from '../errors.js';
import { HttpExchange } from './http-exchange.js';
import type { HttpRequest, ResolvedHttpOptions } from './http-options.js';
import { problemOf } from './problem-details.js';
import type { TaskHttpInterceptor } from './task-http.interceptor.js';
import type { TaskLinks } from './task-links.js';

export interface HttpSetupDeps {
  readonly config: ApplicationConfig;
  readonly adapterHost: HttpAdapterHost;
  readonly interceptor: TaskHttpInterceptor;
  readonly links: TaskLinks;
  readonly options: false | ResolvedHttpOptions;
}

/** Connects the pieces with the application. */
export class HttpSetup implements OnModuleInit {
  constructor(private readonly deps: HttpSetupDeps) {}

  /**
   * To be called from the module's `configure()`, which Nest calls after `app.useGlobalInterceptors()` and before it
   * reads the routes. So ours is the innermost of the global ones and sees what handlers return before an interceptor of
   * the app wraps it into an envelope or serialises it; under `APP_INTERCEPTOR` it would be the outermost.
   */
  configure(): void {
    const { config, interceptor, options } = this.deps;
    if (options) config.addGlobalInterceptor(interceptor);
  }

  /** After the routes are there, before the server takes more of them. */
  onModuleInit(): void {
    const { adapterHost, options } = this.deps;
    if (options && adapterHost.httpAdapter?.getType() === 'fastify') this.answerOverlongIds();
  }

  /**
   * Fastify answers a parameter of more than 100 characters with 414 before any handler. No id is as long, so that is
   * one more id nobody knows. A wildcard has no such limit, and every other route of the app comes before it.
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
