import {
  Inject,
  Module,
  type BeforeApplicationShutdown,
  type DynamicModule,
  type NestModule,
  type OnApplicationShutdown,
  type OnModuleInit,
  type Provider,
} from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import type { Engine } from './engine/engine.js';
import { httpProviders } from './http/http.providers.js';
import { listReadLate } from './list-read-late.js';
import { HttpSetup } from './http/http-setup.js';
import { TaskResults } from './results/task-results.js';
import { DeclaredSchedules } from './schedules/declared-schedules.js';
import { type ASYNC_OPTIONS_TYPE, ConfigurableModuleClass } from './task-queue.module-definition.js';
import type { ResolvedOptions, TaskQueueOptions } from './task-queue-options.js';
import { EXPORTS, nativeQueues, producersOf, PROVIDERS } from './task-queue.providers.js';
import { injectedSources } from './producers/injected-sources.js';
import { ENGINE, RESOLVED_OPTIONS } from './task-queue-tokens.js';
import { DEFAULT_QUEUE } from './tasks/task-definition.js';
import { TaskLoader } from './workers/task-loader.js';
import { TaskWorkersModule } from './workers/task-workers.module.js';
import { registerRunningApp } from './workflows/running-apps.js';
import { WorkflowStarter } from './workflows/workflow-starter.js';

/**
 * The options of `TaskQueueModule.forRootAsync()`: `imports`, `inject`, `useFactory`, `useClass` and `useExisting` as
 * in any module of Nest, and `queueNames`: the queues, besides `default`, that the application injects with
 * `@InjectQueue(name)` of `@nestjs/bullmq`.
 */
export type TaskQueueAsyncOptions = typeof ASYNC_OPTIONS_TYPE;

/**
 * Adds background tasks to the whole application. Import it once, in the root module. It is global, so every module can
 * inject `TaskQueue`, `TaskSchedules`, `TaskContext` and the producers of `@InjectTasks()`.
 *
 * @example
 * ```ts
 * @Module({
 *   imports: [TaskQueueModule.forRoot({ connection: 'redis://localhost:6379' })],
 *   providers: [ReportTasks],
 * })
 * export class AppModule {}
 * ```
 */
@Module({})
export class TaskQueueModule
  extends ConfigurableModuleClass
  implements NestModule, OnModuleInit, BeforeApplicationShutdown, OnApplicationShutdown
{
  private withdrawStarter: (() => void) | undefined;

  constructor(
    @Inject(ENGINE) private readonly engine: Engine,
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
    private readonly loader: TaskLoader,
    private readonly schedules: DeclaredSchedules,
    private readonly results: TaskResults,
    private readonly http: HttpSetup,
    private readonly starter: WorkflowStarter,
  ) {
    super();
  }

  configure(): void {
    this.http.configure();
  }

  /**
   * Returns the module with these options. A wrong option makes the start of the application fail with a
   * `ConfigurationError`.
   *
   * @param options every option has a default
   */
  static override forRoot(options: TaskQueueOptions = {}): DynamicModule {
    return complete(super.forRoot(options), Object.keys(options.queues ?? {}));
  }

  /**
   * Returns the module with options that a factory or a class creates, for example from a configuration service.
   *
   * @example
   * ```ts
   * TaskQueueModule.forRootAsync({
   *   inject: [ConfigService],
   *   useFactory: (config: ConfigService) => ({ connection: config.getOrThrow('REDIS_URL') }),
   * })
   * ```
   */
  static override forRootAsync(options: TaskQueueAsyncOptions): DynamicModule {
    return complete(super.forRootAsync(options), options.queueNames ?? []);
  }

  async onModuleInit(): Promise<void> {
    try {
      await this.loader.load();
      await this.schedules.load();
      await this.engine.start();
    } catch (error) {
      // Nest calls no shutdown hook when the start of an application fails, so the engine is closed here.
      await this.engine.close();
      throw error;
    }
    this.withdrawStarter = registerRunningApp(this.starter);
  }

  /**
   * Ends all waits for tasks. Nest calls this hook after the workers have stopped and before the HTTP server waits for
   * its requests, some of which wait for tasks.
   */
  async beforeApplicationShutdown(): Promise<void> {
    await this.results.close();
  }

  async onApplicationShutdown(): Promise<void> {
    this.withdrawStarter?.();
    await this.engine.close();
  }
}

/** Adds the controllers, providers and exports that `forRoot` and `forRootAsync` have in common. */
function complete(definition: DynamicModule, queueNames: readonly string[]): DynamicModule {
  const { controllers, providers } = httpProviders({
    inject: [RESOLVED_OPTIONS],
    useFactory: ({ http }: ResolvedOptions) => http,
  });
  const own = [
    ...(definition.providers ?? []),
    ...PROVIDERS,
    ...providers,
    ...nativeQueues([DEFAULT_QUEUE, ...queueNames]),
  ];
  return {
    ...definition,
    global: true,
    controllers,
    imports: [...(definition.imports ?? []), DiscoveryModule, TaskWorkersModule],
    // Read after all classes with `@InjectTasks()` are defined.
    providers: listReadLate(() => [...own, ...Array.from(injectedSources(), producersOf)]),
    exports: listReadLate(() => [
      ...EXPORTS,
      ...own.map(tokenOf).filter(isQueueToken),
      ...Array.from(injectedSources(), ({ token }) => token),
    ]),
  };
}

function tokenOf(provider: Provider): unknown {
  return typeof provider === 'function' ? provider : provider.provide;
}

function isQueueToken(token: unknown): token is string {
  return typeof token === 'string';
}
