import { RequestMethod, VERSION_NEUTRAL, VersioningType, type Type } from '@nestjs/common';
import { HOST_METADATA, PATH_METADATA, VERSION_METADATA } from '@nestjs/common/constants.js';
import { MetadataScanner, type ApplicationConfig, type ModulesContainer } from '@nestjs/core';
import { PathsExplorer, type RouteDefinition } from '@nestjs/core/router/paths-explorer.js';
import { ConfigurationError } from '../errors.js';
import type { RoutePaths } from './route-paths.js';
import type { TaskLinks } from './task-links.js';

export interface OwnRoutesDeps {
  readonly config: ApplicationConfig;
  readonly modules: ModulesContainer;
  readonly paths: RoutePaths;
  readonly links: TaskLinks;
  /** The controller of the endpoint. */
  readonly controller: Type;
}

/** The methods of the endpoint, and the method that stands for all. */
const METHODS: ReadonlySet<RequestMethod> = new Set([RequestMethod.GET, RequestMethod.DELETE, RequestMethod.ALL]);

/** Finds routes of the application that are routes of the endpoint for tasks too. */
export class OwnRoutes {
  private readonly explorer = new PathsExplorer(new MetadataScanner());

  constructor(private readonly deps: OwnRoutesDeps) {}

  /**
   * Checks that the application has no route of its own with the path of the endpoint. On Express, the one that was
   * registered first would answer for both.
   *
   * @throws ConfigurationError naming the method of the controller and the option
   */
  check(): void {
    const endpoint = shapeOf(`${this.deps.links.base}/:id`);
    for (const { metatype: module, controllers } of this.deps.modules.values()) {
      for (const { metatype } of controllers.values()) {
        const controller = metatype as Type | undefined;
        if (!controller || controller === this.deps.controller) continue;
        const clash = this.routesOf(controller, module).find(({ path }) => shapeOf(path) === endpoint);
        if (!clash) continue;
        throw new ConfigurationError(
          `${controller.name}.${clash.method} serves ${clash.path}, and the endpoint for tasks would serve the same path. ` +
            "Move the endpoint by the option http.path, for example http: { path: 'background-tasks' }, or switch it off: http: false.",
        );
      }
    }
  }

  /** The routes of a controller that may answer instead of the endpoint. */
  private routesOf(controller: Type, module: Type): { readonly method: string; readonly path: string }[] {
    const own = Reflect.getMetadata(VERSION_METADATA, controller) as RouteDefinition['version'];
    const controllerVersion = own ?? this.deps.config.getVersioning()?.defaultVersion;
    const paths = [Reflect.getMetadata(PATH_METADATA, controller) ?? []].flat() as string[];
    if (Reflect.getMetadata(HOST_METADATA, controller) !== undefined) return [];
    return this.explorer
      .scanForPaths(controller.prototype as object, controller.prototype as object)
      .filter(
        ({ requestMethod, version }) => METHODS.has(requestMethod) && !this.isVersioned(version ?? controllerVersion),
      )
      .flatMap(({ path, methodName, requestMethod, version }) =>
        paths.flatMap((controllerPath) =>
          path.flatMap((methodPath) =>
            this.deps.paths
              .of({ controllerPath, methodPath, requestMethod, controllerVersion, methodVersion: version, module })
              .map((full) => ({ method: methodName, path: full })),
          ),
        ),
      );
  }

  /** Whether a header of the request decides about the route. A version in the URL is part of the path. */
  private isVersioned(version: RouteDefinition['version']): boolean {
    const versioning = this.deps.config.getVersioning();
    if (!versioning || versioning.type === VersioningType.URI) return false;
    return version !== undefined && version !== VERSION_NEUTRAL;
  }
}

/** The path with the same text for all parameters: two paths of one shape match the same requests. */
function shapeOf(path: string): string {
  return path.replace(/:[^/]+/g, ':').replace(/\/$/, '');
}
