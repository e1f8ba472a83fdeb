import {
  Module,
  Optional,
  type BeforeApplicationShutdown,
  type DynamicModule,
  type NestModule,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { DiscoveryModule, ModulesContainer } from '@nestjs/core';
import { ConfigurationError } from './errors.js';
import { httpProviders } from './http/http.providers.js';
import { checkImported } from './imported-once.js';
import { producersOf } from './injected-producers.js';
import { listReadLate } from './list-read-late.js';
import { declaredQueue, nativeQueue } from './native-queues.js';
import { checkOptions } from './option-groups.js';
import { INJECTED_SOURCES } from './producers/injected-sources.js';
import { TaskQueueLifecycle } from './task-queue.lifecycle.js';
import { type ASYNC_OPTIONS_TYPE, ConfigurableModuleClass } from './task-queue.module-definition.js';
import type { ResolvedOptions, TaskQueueOptions } from './task-queue-options.js';
import { EXPORTS, PROVIDERS } from './task-queue.providers.js';
import { nativeQueueToken, RESOLVED_OPTIONS } from './task-queue-tokens.js';
import { TestingSlotModule } from './testing-slot.module.js';
import { DECLARED_QUEUES } from './tasks/declared-queues.js';
import { DEFAULT_QUEUE } from './tasks/task-definition.js';
import { TaskWorkersModule } from './workers/task-workers.module.js';

/**
 * The options of `TaskQueueModule.forRootAsync()`: `imports`, `inject`, `useFactory`, `useClass` and `useExisting` as
 * in any module of Nest, and `queueNames`: queues that the application injects with `@InjectQueue(name)` of `@nestjs/bullmq`, besides
 * `default` and those that `@Task()`, `@TaskProcessor()` and `defineTask()` name.
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
  /**
   * @param lifecycle missing in a module that imports the bare class, without `forRoot()`. Such an import does nothing,
   * because the module of `forRoot()` is global
   */
  constructor(
    modules: ModulesContainer,
    @Optional() private readonly lifecycle?: TaskQueueLifecycle,
  ) {
    super();
    if (!lifecycle) checkImported(modules, RESOLVED_OPTIONS);
  }

  configure(): void {
    this.lifecycle?.configure();
  }

  /**
   * Returns the module with these options. A wrong option makes the start of the application fail with a
   * `ConfigurationError`.
   *
   * @param options every option has a default
   */
  static override forRoot(options: TaskQueueOptions = {}): DynamicModule {
    checkOptions(options);
    const { queues = {}, defaults } = options;
    return complete(super.forRoot(options), [...Object.keys(queues), ...(defaults?.queue ? [defaults.queue] : [])]);
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
    if (!options.useFactory && !options.useClass && !options.useExisting) {
      throw new ConfigurationError(
        "TaskQueueModule.forRootAsync() needs useFactory, useClass or useExisting: forRootAsync({ useFactory: () => ({ connection: 'redis://…' }) }).",
      );
    }
    return complete(super.forRootAsync(options), options.queueNames ?? []);
  }

  async onModuleInit(): Promise<void> {
    await this.lifecycle?.start();
  }

  /** Nest calls this hook after the workers have stopped and before the HTTP server closes. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.lifecycle?.endWaits();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.lifecycle?.close();
  }
}

/** Adds the controllers, providers and exports that `forRoot` and `forRootAsync` have in common. */
function complete(definition: DynamicModule, queueNames: readonly string[]): DynamicModule {
  const { controllers, providers } = httpProviders({
    inject: [RESOLVED_OPTIONS],
    useFactory: ({ http }: ResolvedOptions) => http,
  });
  const listed = new Set([DEFAULT_QUEUE, ...queueNames]);
  const own = [...(definition.providers ?? []), ...PROVIDERS, ...providers, ...Array.from(listed, nativeQueue)];
  const unlisted = () => [...DECLARED_QUEUES].filter((name) => !listed.has(name));
  return {
    ...definition,
    global: true,
    controllers,
    imports: [...(definition.imports ?? []), DiscoveryModule, TestingSlotModule, TaskWorkersModule],
    // Read after all classes with `@Task()` and `@InjectTasks()` are defined.
    providers: listReadLate(() => [
      ...own,
      ...unlisted().map(declaredQueue),
      ...Array.from(INJECTED_SOURCES, producersOf),
    ]),
    exports: listReadLate(() => [
      ...EXPORTS,
      ...[...listed, ...unlisted()].map(nativeQueueToken),
      ...Array.from(INJECTED_SOURCES, ({ token }) => token),
    ]),
  };
}
