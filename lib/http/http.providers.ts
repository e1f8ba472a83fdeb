import type { InjectionToken, Provider, Type } from '@nestjs/common';
import { AppFilters } from './app-filters.js';
import { EventStreams } from './event-streams.js';
import { HeldRequests } from './held-requests.js';
import { HttpSetup } from './http-setup.js';
import { resolveHttpOptions, type HttpOptions } from './http-options.js';
import { HTTP_OPTIONS } from './http-options.js';
import { TaskEndpoint } from './task-endpoint.js';
import { TaskHttpInterceptor } from './task-http.interceptor.js';
import { TaskLinks } from './task-links.js';
import { TaskView } from './task-view.js';
import { createTaskController } from './tasks.controller.js';

/** Where the option `http` comes from. */
export interface HttpOptionsSource {
  readonly inject: InjectionToken[];
  // Nest calls it with what stands in `inject`, whose types it does not know.
  readonly useFactory: (...injected: never[]) => false | HttpOptions | undefined;
}

/**
 * What serves tasks over HTTP, for one module. That module provides `TaskResults` and calls `HttpSetup.configure()` from
 * its own `configure()`.
 *
 * @example
 * const { controllers, providers } = httpProviders({ inject: [OPTIONS], useFactory: (options: Options) => options.http });
 */
export function httpProviders(source: HttpOptionsSource): { controllers: Type[]; providers: Provider[] } {
  const options: Provider = {
    provide: HTTP_OPTIONS,
    inject: source.inject,
    useFactory: (...injected: never[]) => resolveHttpOptions(source.useFactory(...injected)),
  };
  return {
    controllers: [createTaskController()],
    providers: [
      options,
      AppFilters,
      EventStreams,
      HeldRequests,
      HttpSetup,
      TaskEndpoint,
      TaskHttpInterceptor,
      TaskLinks,
      TaskView,
    ],
  };
}
