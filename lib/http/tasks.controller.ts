import { Controller, Delete, Get, Inject, Req, Res, VERSION_NEUTRAL, type Type } from '@nestjs/common';
import { PATH_METADATA } from '@nestjs/common/constants.js';
import type { HttpRequest, ResolvedHttpOptions } from './http-options.js';
import { HTTP_OPTIONS } from './http-options.js';
import { documentTaskController } from './openapi.js';
import { TaskEndpoint } from './task-endpoint.js';

/**
 * A controller class for one module, so that modules with different paths do not meet.
 *
 * The path is known only when the options are, which under `forRootAsync` is long after the class has to be there. So
 * the controller writes it on its class when Nest makes the instance: after the options, before any route is read.
 * Without the endpoint it is no path at all, which registers no route.
 *
 * `@Req()` and `@Res()` alone, since global pipes and interceptors of the app, made for its own handlers, then find
 * nothing here to change. Its guards apply as everywhere.
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
