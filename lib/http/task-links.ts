import { RequestMethod, VERSION_NEUTRAL } from '@nestjs/common';
import type { ApplicationConfig } from '@nestjs/core';
import { RoutePathFactory } from '@nestjs/core/router/route-path-factory.js';
import type { ResolvedHttpOptions } from './http-options.js';

/** Makes the URL paths of tasks, with the global prefix of the application where it applies. */
export class TaskLinks {
  private cachedBase: string | undefined;

  constructor(
    private readonly config: ApplicationConfig,
    private readonly options: false | ResolvedHttpOptions,
  ) {}

  /** The path of a task, for example `/api/tasks/default.q0hQ2gD2mR7c3gYtVJm1Ng`. */
  hrefOf(id: string): string {
    return `${this.base}/${encodeURIComponent(id)}`;
  }

  /**
   * The path of the endpoint, for example `/api/tasks`. Must not be read before the application is set up: prefix and
   * versioning are set after the providers are created.
   */
  get base(): string {
    return (this.cachedBase ??= this.computeBase());
  }

  private computeBase(): string {
    const path = this.options ? this.options.path : '';
    // Nest's own class adds the prefix, because the prefix may have exceptions.
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
