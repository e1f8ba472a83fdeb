import { Module, type INestApplication, type Logger, type ModuleMetadata } from '@nestjs/common';
import { ApplicationConfig, DiscoveryModule, ModuleRef, ModulesContainer } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import type { Delivery } from '../../../lib/engine/ports/worker-port.js';
import { Interruption } from '../../../lib/engine/interruption.js';
import type { RunOutcome } from '../../../lib/workflows/run-outcome.js';
import { newTaskId } from '../../../lib/engine/task-id.js';
import { resolveOptions, type TaskQueueOptions } from '../../../lib/task-queue-options.js';
import { TaskExplorer } from '../../../lib/tasks/task-explorer.js';
import { TaskRegistry } from '../../../lib/tasks/task-registry.js';
import type { AppEnhancerOptions } from '../../../lib/workers/enhancers/app-enhancers.js';
import { TaskInvokerFactory } from '../../../lib/workers/task-invoker-factory.js';
import { RunPlaces } from '../../../lib/workers/batches/run-places.js';
import { TaskContext } from '../../../lib/workers/task-context.js';
import { TaskExecutor } from '../../../lib/workers/task-executor.js';
import { TaskLoader } from '../../../lib/workers/task-loader.js';

export interface TasksToRun extends ModuleMetadata {
  readonly enhancers?: TaskQueueOptions['enhancers'] & Pick<AppEnhancerOptions, 'except'>;
  /** Configures the application before it starts, for example with `app.useGlobalGuards(…)`. */
  readonly configure?: (app: INestApplication) => void;
  readonly logger?: Pick<Logger, 'error' | 'warn' | 'log'>;
}

/** An application with tasks and without an engine: the test hands each delivery to the executor. */
export class TaskHarness {
  private constructor(
    readonly app: INestApplication,
    private readonly executor: TaskExecutor,
  ) {}

  static async start({ enhancers = {}, configure, logger = QUIET, ...metadata }: TasksToRun): Promise<TaskHarness> {
    @Module({
      imports: [DiscoveryModule],
      providers: [
        TaskContext,
        TaskExplorer,
        {
          provide: TaskInvokerFactory,
          inject: [ApplicationConfig, ModulesContainer, ModuleRef, TaskContext],
          useFactory: (
            config: ApplicationConfig,
            modules: ModulesContainer,
            moduleRef: ModuleRef,
            context: TaskContext,
          ) =>
            new TaskInvokerFactory({
              config,
              modules,
              moduleRef,
              context,
              enhancers: {
                ...enhancers,
                ...resolveOptions({ enhancers: { global: enhancers.global ?? true } }).enhancers,
              },
            }),
        },
      ],
      exports: [TaskContext],
    })
    class Tasks {}
    const built = await Test.createTestingModule({
      ...metadata,
      imports: [{ module: Tasks, global: true }, ...(metadata.imports ?? [])],
    })
      .setLogger(logger)
      .compile();
    const app = built.createNestApplication({ logger });
    configure?.(app);
    await app.init();
    try {
      return new TaskHarness(app, await executorOf(app));
    } catch (error) {
      await app.close();
      throw error;
    }
  }

  /** Runs one attempt and returns its outcome. */
  run(name: string, args: readonly unknown[] = [], known: Partial<Delivery> = {}): Promise<RunOutcome> {
    return this.executor.handle({
      id: newTaskId('default'),
      name,
      queue: 'default',
      args: JSON.parse(JSON.stringify(args)) as Delivery['args'],
      headers: {},
      options: {},
      attempt: 1,
      starts: 1,
      returns: 0,
      abandoned: 0,
      reruns: 0,
      enqueuedAt: Date.now(),
      root: '',
      memberCount: 0,
      members: () => Promise.resolve([]),
      failedMember: () => Promise.resolve(undefined),
      started: () => undefined,
      mark: () => undefined,
      markBefore: () => undefined,
      interruption: new Interruption(),
      progress: () => Promise.resolve(),
      log: () => Promise.resolve(),
      ...known,
    });
  }

  /** Runs one attempt and returns the result. @throws an Error with the properties of the failure */
  async result(name: string, ...args: readonly unknown[]): Promise<unknown> {
    const outcome = await this.run(name, args);
    if (outcome.kind === 'succeeded') return outcome.result;
    throw Object.assign(new Error(), 'failure' in outcome ? outcome.failure : outcome);
  }

  close(): Promise<void> {
    return this.app.close();
  }
}

const QUIET = { error: () => undefined, warn: () => undefined, log: () => undefined };

async function executorOf(app: INestApplication): Promise<TaskExecutor> {
  const registry = new TaskRegistry();
  const deps = { explorer: app.get(TaskExplorer), registry, invokers: app.get(TaskInvokerFactory), defaults: {} };
  await new TaskLoader(deps).load();
  return new TaskExecutor(registry, app.get(TaskContext), {
    maxPayload: 1e6,
    unknownTaskReturns: 12,
    now: () => Date.now(),
    places: new RunPlaces({ concurrency: () => 10, shared: () => undefined }),
    isDeclaredElsewhere: async () => false,
  });
}
