import { RequestMethod, VERSION_NEUTRAL } from '@nestjs/common';
import type { ApplicationConfig } from '@nestjs/core';
import { RoutePathFactory } from '@nestjs/core/router/route-path-factory.js';
import type { ResolvedHttpOptions } from './http-options.js';

/** Where tasks are found: the path, with the app's global prefix where that applies. */
export class TaskLinks {
  private knownBase: string | undefined;

  constructor(
    private readonly config: ApplicationConfig,
    private readonly options: false | ResolvedHttpOptions,
  ) {}

  /** For example `/api/tasks/default.q0hQ2gD2mR7c3gYtVJm1Ng`. */
  hrefOf(id: string): string {
    return `${this.base}/${encodeURIComponent(id)}`;
  }

  /** For example `/api/tasks`. Read once the application is set up: prefix and versioning come after the providers. */
  get base(): string {
    return (this.knownBase ??= this.findBase());
  }

  private findBase(): string {
    const path = this.options ? this.options.path : '';
    // Nest's own rules, for the prefix may have exceptions.
    const [route = path] = new RoutePathFactory(this.config).create(
      {
        ctrlPath: `/${path}`,
        methodPath: '/:id',
        globalPrefix: `/${this.config.getGlobalPrefix().replace(/^\//, '')}`,
        controllerVersion: VERSION_NEUTRAL,
        versioningOptions: this.config.getVersioning(),
      },
      RequestMethod.GET,
    );
    return route.replace(/\/:id$/, '');
  }
}
