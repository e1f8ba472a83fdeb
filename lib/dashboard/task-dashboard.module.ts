import {
  Inject,
  Module,
  Optional,
  type DynamicModule,
  type InjectionToken,
  type NestModule,
  type OptionalFactoryDependency,
  type Provider,
  type Type,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { acceptTrailingSlashes, createDashboardController, type DashboardController } from './dashboard.controller.js';
import {
  DASHBOARD_OPTIONS,
  resolveDashboardOptions,
  type TaskDashboardAsyncOptions,
  type TaskDashboardOptions,
} from './dashboard-options.js';
import { DASHBOARD_PROVIDERS } from './dashboard.providers.js';

/** Injects the controller class of a module. */
const CONTROLLER = Symbol('nestjs-task-queue: controller of the dashboard');

/**
 * A page that shows queues, tasks, errors, workflows, schedules and workers, and with which administrators act on them. Import it in
 * a module of an application that imports `TaskQueueModule`. The page is a part of the application: its global guards run for each
 * request, and then those of the option `guards`.
 *
 * @example
 * ```ts
 * @Module({
 *   imports: [
 *     TaskQueueModule.forRoot(),
 *     TaskDashboardModule.forRoot({ path: 'admin/tasks', imports: [AuthModule], guards: [AdminGuard] }),
 *   ],
 * })
 * export class AppModule {}
 * ```
 */
@Module({})
export class TaskDashboardModule implements NestModule {
  /** @internal */
  constructor(
    @Optional() @Inject(CONTROLLER) private readonly controller: Type<DashboardController> | undefined,
    private readonly adapterHost: HttpAdapterHost,
  ) {}

  /**
   * Nest calls this hook before it reads the routes.
   *
   * @internal
   */
  configure(): void {
    if (this.controller && this.adapterHost.httpAdapter?.getType() === 'fastify')
      acceptTrailingSlashes(this.controller);
  }

  /**
   * @param options every option has a default, but under `NODE_ENV=production` the start fails without `guards`
   * @throws ConfigurationError at the start of the application, when an option is wrong
   */
  static forRoot(options: TaskDashboardOptions = {}): DynamicModule {
    const { imports = [], guards = [], ...settings } = options;
    return moduleOf({ imports, guards }, [], () => settings);
  }

  /**
   * Returns the module with options that a factory creates, for example from a configuration service. `imports` and `guards` stand
   * beside the factory.
   *
   * @example
   * ```ts
   * TaskDashboardModule.forRootAsync({
   *   imports: [AuthModule],
   *   guards: [AdminGuard],
   *   inject: [ConfigService],
   *   useFactory: (config: ConfigService) => ({ path: config.getOrThrow('TASKS_PATH'), readOnly: true }),
   * })
   * ```
   */
  static forRootAsync({
    imports = [],
    guards = [],
    inject = [],
    useFactory,
  }: TaskDashboardAsyncOptions): DynamicModule {
    return moduleOf({ imports, guards }, inject, useFactory);
  }
}

function moduleOf(
  { imports, guards }: Required<Pick<TaskDashboardOptions, 'imports' | 'guards'>>,
  inject: readonly (InjectionToken | OptionalFactoryDependency)[],
  useFactory: TaskDashboardAsyncOptions['useFactory'],
): DynamicModule {
  const options: Provider = {
    provide: DASHBOARD_OPTIONS,
    inject: [...inject],
    useFactory: async (...injected: never[]) => resolveDashboardOptions(await useFactory(...injected), guards.length),
  };
  const controller = createDashboardController(guards);
  return {
    module: TaskDashboardModule,
    imports: [...imports],
    controllers: [controller],
    providers: [options, { provide: CONTROLLER, useValue: controller }, ...DASHBOARD_PROVIDERS],
  };
}
