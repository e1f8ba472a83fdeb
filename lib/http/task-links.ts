import { RequestMethod, VERSION_NEUTRAL, type Type } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import type { ResolvedHttpOptions } from './http-options.js';
import type { RoutePaths } from './route-paths.js';

export interface TaskLinksDeps {
  readonly paths: RoutePaths;
  readonly modules: ModulesContainer;
  /** The controller of the endpoint. */
  readonly controller: Type;
  readonly options: false | ResolvedHttpOptions;
}

/** Makes the URL paths of tasks, as Nest serves the endpoint. */
export class TaskLinks {
  private cachedBase: string | undefined;

  constructor(private readonly deps: TaskLinksDeps) {}

  /**
   * The path of a task, for example `/api/tasks/default.q0hQ2gD2mR7c3gYtVJm1Ng`.
   *
   * @param params the path parameters of the request, for a prefix with parameters
   */
  hrefOf(id: string, params: Readonly<Record<string, unknown>> = {}): string {
    const base = this.base.replace(/:(\w+)/g, (text, name: string) => {
      const value = params[name];
      return typeof value === 'string' ? encodeURIComponent(value) : text;
    });
    return `${base}/${encodeURIComponent(id)}`;
  }

  /**
   * The path of the endpoint, for example `/api/tasks`. Must not be read before the application is set up: prefix and
   * versioning are set after the providers are created.
   */
  get base(): string {
    return (this.cachedBase ??= this.computeBase());
  }

  private computeBase(): string {
    const { controller, modules, options, paths } = this.deps;
    const path = options ? options.path : '';
    const owner = [...modules.values()].find(({ controllers }) => controllers.has(controller));
    const [route = path] = paths.of({
      controllerPath: path,
      methodPath: ':id',
      requestMethod: RequestMethod.GET,
      controllerVersion: VERSION_NEUTRAL,
      module: owner?.metatype,
    });
    return route.replace(/\/:id$/, '');
  }
}
