import { Controller, Delete, Get, Inject, Req, Res, VERSION_NEUTRAL, type Type } from '@nestjs/common';
import { PATH_METADATA } from '@nestjs/common/constants.js';
import type { HttpRequest, ResolvedHttpOptions } from './http-options.js';
import { HTTP_OPTIONS } from './http-options.js';
import { documentTaskController } from './openapi.js';
import { TaskEndpoint } from './task-endpoint.js';

/**
 * Makes a controller class for one module, so that modules with different paths do not share a class.
 *
 * The path is known only once the options are known. Under `forRootAsync` that is long after the class must exist. So
 * the constructor sets the path on the class: Nest creates the instance after the options and before it reads any
 * route. Without the endpoint (`http: false`) the list of paths is empty, so Nest registers no route.
 *
 * The handlers use only `@Req()` and `@Res()`. Global pipes and interceptors, which the application wrote for its own
 * handlers, then find nothing to change here. The guards of the application run as everywhere.
 */
export function createTaskController(): Type {
  @Controller({ path: [], version: VERSION_NEUTRAL })
  class TaskController {
    constructor(
      private readonly endpoint: TaskEndpoint,
      @Inject(HTTP_OPTIONS) options: false | ResolvedHttpOptions,
    ) {
      Reflect.defineMetadata(PATH_METADATA, options ? options.path : [], TaskController);
    }

    @Get(':id')
    get(@Req() request: HttpRequest, @Res() response: unknown): Promise<void> {
      return this.endpoint.get(request, response);
    }

    @Delete(':id')
    cancel(@Req() request: HttpRequest, @Res() response: unknown): Promise<void> {
      return this.endpoint.cancel(request, response);
    }
  }
  documentTaskController(TaskController);
  return TaskController;
}
