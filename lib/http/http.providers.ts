import type { InjectionToken, Provider, Type } from '@nestjs/common';
import { ApplicationConfig, HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { TaskResults } from '../results/task-results.js';
import { AccessCheck } from './access-check.js';
import { AppFilters } from './app-filters.js';
import { ClientConnections } from './client-connections.js';
import { EventStreams } from './event-streams.js';
import { HeldRequests } from './held-requests.js';
import { HttpSetup } from './http-setup.js';
import { HTTP_OPTIONS, resolveHttpOptions, type HttpOptions, type ResolvedHttpOptions } from './http-options.js';
import { OwnRoutes } from './own-routes.js';
import { RoutePaths } from './route-paths.js';
import { TaskEndpoint } from './task-endpoint.js';
import { TaskHttpInterceptor } from './task-http.interceptor.js';
import { TaskLinks } from './task-links.js';
import { TaskView } from './task-view.js';
import { createTaskController } from './tasks.controller.js';

/** The source of the option `http`. */
export interface HttpOptionsSource {
  readonly inject: InjectionToken[];
  // Nest calls the function with the values of the tokens in `inject`, whose types are not known here.
  readonly useFactory: (...injected: never[]) => false | HttpOptions | undefined;
}

/**
 * Returns the controllers and providers that serve tasks over HTTP, for one module. The module must provide
 * `TaskResults`, and must call `HttpSetup.configure()` from its own `configure()`.
 *
 * @example
 * const { controllers, providers } = httpProviders({
 *   inject: [OPTIONS],
 *   useFactory: (options: Options) => options.http,
 * });
 */
export function httpProviders(source: HttpOptionsSource): { controllers: Type[]; providers: Provider[] } {
  const options: Provider = {
    provide: HTTP_OPTIONS,
    inject: source.inject,
    useFactory: (...injected: never[]) => resolveHttpOptions(source.useFactory(...injected)),
  };
  const controller = createTaskController();
  return {
    controllers: [controller],
    providers: [options, { provide: TASK_CONTROLLER, useValue: controller }, ...PROVIDERS],
  };
}

/** Injects the controller of the endpoint. */
const TASK_CONTROLLER = Symbol('nestjs-task-queue: task controller');

/** The value of the token `HTTP_OPTIONS`. */
type Options = false | ResolvedHttpOptions;

const PROVIDERS: readonly Provider[] = [
  {
    provide: AccessCheck,
    inject: [HTTP_OPTIONS],
    useFactory: (options: Options) => new AccessCheck(options),
  },
  {
    provide: AppFilters,
    inject: [ApplicationConfig],
    useFactory: (config: ApplicationConfig) => new AppFilters(config),
  },
  {
    provide: ClientConnections,
    inject: [HttpAdapterHost, HTTP_OPTIONS],
    useFactory: (adapterHost: HttpAdapterHost, options: Options) => new ClientConnections(adapterHost, options),
  },
  {
    provide: EventStreams,
    inject: [TaskView, HeldRequests, HTTP_OPTIONS],
    useFactory: (view: TaskView, requests: HeldRequests, options: Options) =>
      new EventStreams({ view, requests, options }),
  },
  {
    provide: HeldRequests,
    inject: [TaskResults, ClientConnections, HTTP_OPTIONS],
    useFactory: (results: TaskResults, connections: ClientConnections, options: Options) =>
      new HeldRequests({ results, connections, options }),
  },
  {
    provide: HttpSetup,
    inject: [ApplicationConfig, HttpAdapterHost, TaskHttpInterceptor, TaskLinks, OwnRoutes, HTTP_OPTIONS],
    useFactory: (
      config: ApplicationConfig,
      adapterHost: HttpAdapterHost,
      interceptor: TaskHttpInterceptor,
      links: TaskLinks,
      ownRoutes: OwnRoutes,
      options: Options,
    ) => new HttpSetup({ config, adapterHost, interceptor, links, ownRoutes, options }),
  },
  {
    provide: TaskEndpoint,
    inject: [
      TaskResults,
      AccessCheck,
      TaskView,
      ClientConnections,
      EventStreams,
      HeldRequests,
      HttpAdapterHost,
      HTTP_OPTIONS,
    ],
    useFactory: (
      results: TaskResults,
      access: AccessCheck,
      view: TaskView,
      connections: ClientConnections,
      streams: EventStreams,
      requests: HeldRequests,
      adapterHost: HttpAdapterHost,
      options: Options,
    ) => new TaskEndpoint({ results, access, view, connections, streams, requests, adapterHost, options }),
  },
  {
    provide: TaskHttpInterceptor,
    inject: [HttpAdapterHost, TaskLinks, AppFilters],
    useFactory: (adapterHost: HttpAdapterHost, links: TaskLinks, appFilters: AppFilters) =>
      new TaskHttpInterceptor({ adapterHost, links, appFilters }),
  },
  {
    provide: RoutePaths,
    inject: [ApplicationConfig, ModulesContainer],
    useFactory: (config: ApplicationConfig, modules: ModulesContainer) => new RoutePaths(config, modules),
  },
  {
    provide: OwnRoutes,
    inject: [ApplicationConfig, ModulesContainer, RoutePaths, TaskLinks, TASK_CONTROLLER],
    useFactory: (
      config: ApplicationConfig,
      modules: ModulesContainer,
      paths: RoutePaths,
      links: TaskLinks,
      controller: Type,
    ) => new OwnRoutes({ config, modules, paths, links, controller }),
  },
  {
    provide: TaskLinks,
    inject: [RoutePaths, ModulesContainer, TASK_CONTROLLER, HTTP_OPTIONS],
    useFactory: (paths: RoutePaths, modules: ModulesContainer, controller: Type, options: Options) =>
      new TaskLinks({ paths, modules, controller, options }),
  },
  {
    provide: TaskView,
    inject: [HTTP_OPTIONS],
    useFactory: (options: Options) => new TaskView(options),
  },
];
