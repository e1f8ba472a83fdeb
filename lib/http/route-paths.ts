import type { RequestMethod, Type } from '@nestjs/common';
import { MODULE_PATH } from '@nestjs/common/constants.js';
import type { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import { RoutePathFactory } from '@nestjs/core/router/route-path-factory.js';

type Version = Parameters<RoutePathFactory['create']>[0]['controllerVersion'];

/** A route as decorators declare it. */
export interface DeclaredRoute {
  readonly controllerPath: string;
  readonly methodPath: string;
  readonly requestMethod: RequestMethod;
  readonly controllerVersion?: Version;
  readonly methodVersion?: Version;
  /** The class of the module, which `RouterModule` may have given a path. */
  readonly module: Type | undefined;
}

/**
 * Finds out under which URL paths Nest serves a route: with the prefix of the application and its exceptions, the path
 * of the module from `RouterModule`, and the version. Must not be used before the application is set up.
 */
export class RoutePaths {
  constructor(
    private readonly config: ApplicationConfig,
    private readonly modules: ModulesContainer,
  ) {}

  of({ controllerPath, methodPath, requestMethod, controllerVersion, methodVersion, module }: DeclaredRoute): string[] {
    const modulePath = module && this.pathOfModule(module);
    return new RoutePathFactory(this.config).create(
      {
        ctrlPath: withSlash(controllerPath),
        methodPath: withSlash(methodPath),
        globalPrefix: withSlash(this.config.getGlobalPrefix()),
        ...(controllerVersion !== undefined && { controllerVersion }),
        ...(methodVersion !== undefined && { methodVersion }),
        versioningOptions: this.config.getVersioning(),
        ...(modulePath !== undefined && { modulePath }),
      },
      requestMethod,
    );
  }

  /** `RouterModule` stores the path on the class, under a key of the application. */
  private pathOfModule(module: Type): string | undefined {
    const { applicationId } = this.modules;
    return (Reflect.getMetadata(MODULE_PATH + applicationId, module) ?? Reflect.getMetadata(MODULE_PATH, module)) as
      | string
      | undefined;
  }
}

function withSlash(path: string): string {
  return `/${path.replace(/^\//, '')}`;
}
