import {
  Controller,
  Get,
  Inject,
  Post,
  Req,
  Res,
  UseGuards,
  VERSION_NEUTRAL,
  type CanActivate,
  type Type,
} from '@nestjs/common';
import { PATH_METADATA } from '@nestjs/common/constants.js';
import { Dashboard, DETAILED, VIEWS } from './dashboard.js';
import { DASHBOARD_OPTIONS, type ResolvedDashboardOptions } from './dashboard-options.js';
import { FactoryGuards } from './factory-guards.js';

export interface DashboardController {
  detail(request: unknown, response: unknown): Promise<void>;
  other(request: unknown, response: unknown): Promise<void>;
}

/**
 * Lets the controller answer addresses with a slash at their end. Express takes them for those without it. Fastify matches them only
 * by wildcards, whose form Express does not know, and a route with a parameter would hide them.
 */
export function acceptTrailingSlashes(controller: Type<DashboardController>): void {
  const { detail, other } = controller.prototype;
  Reflect.deleteMetadata(PATH_METADATA, detail);
  Reflect.defineMetadata(PATH_METADATA, ['*', ...VIEWS.map((view) => `${view}/*`)], other);
}

/**
 * Makes a controller class for one module, so that modules with different paths and guards do not share a class.
 *
 * The path is known only once the options are known, so the constructor sets it: Nest creates the instance before it reads any
 * route. The handlers use only `@Req()` and `@Res()`, because pipes and interceptors of the application are for its own handlers.
 * Its guards run as everywhere.
 */
export function createDashboardController(
  guards: readonly (Type<CanActivate> | CanActivate)[],
): Type<DashboardController> {
  @Controller({ path: [], version: VERSION_NEUTRAL })
  @UseGuards(...guards, FactoryGuards)
  class TaskDashboardController {
    constructor(
      private readonly dashboard: Dashboard,
      @Inject(DASHBOARD_OPTIONS) options: ResolvedDashboardOptions,
    ) {
      Reflect.defineMetadata(PATH_METADATA, options.path, TaskDashboardController);
    }

    @Get()
    root(@Req() request: unknown, @Res() response: unknown): Promise<void> {
      return this.dashboard.page(request, response, 0);
    }

    @Get('assets/:name')
    asset(@Req() request: unknown, @Res() response: unknown): Promise<void> {
      return this.dashboard.asset(request, response);
    }

    @Get(['api/:resource', 'api/:resource/:id'])
    read(@Req() request: unknown, @Res() response: unknown): Promise<void> {
      return this.dashboard.read(request, response);
    }

    @Post('api/acts/:act')
    change(@Req() request: unknown, @Res() response: unknown): Promise<void> {
      return this.dashboard.change(request, response);
    }

    @Get([...VIEWS])
    view(@Req() request: unknown, @Res() response: unknown): Promise<void> {
      return this.dashboard.page(request, response, 1);
    }

    @Get(DETAILED.map((view) => `${view}/:id`))
    detail(@Req() request: unknown, @Res() response: unknown): Promise<void> {
      return this.dashboard.page(request, response, 2);
    }

    @Get(':name')
    other(@Req() request: unknown, @Res() response: unknown): Promise<void> {
      return this.dashboard.other(request, response);
    }
  }
  return TaskDashboardController;
}
