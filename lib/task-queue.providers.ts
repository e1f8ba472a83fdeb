import type { Provider } from '@nestjs/common';
import { ApplicationConfig, DiscoveryService, ModuleRef, ModulesContainer } from '@nestjs/core';
import { ADMIN_PROVIDERS } from './admin/admin.providers.js';
import { BulkRunner } from './admin/bulk/bulk-runner.js';
import { AdminActs } from './admin/admin-acts.js';
import { TaskAdmin } from './admin/task-admin.js';
import { BootReport } from './boot-report.js';
import { processorsIn } from './bullmq-processors.js';
import { concurrencyOf, consumedQueues, withInternalQueues } from './consumed-queues.js';
import { createEngine } from './create-engine.js';
import type { Engine } from './engine/engine.js';
import { Instrumentations } from './engine/instrumentation.js';
import { InstrumentedEnqueue } from './engine/instrumented-enqueue.js';
import { LimitedEnqueue } from './engine/limited-enqueue.js';
import { ListenerExplorer } from './events/listener-explorer.js';
import { TaskEvents } from './events/task-events.js';
import { TaskHttpInterceptor } from './http/task-http.interceptor.js';
import { checkImportedOnce } from './imported-once.js';
import { ParentConnection } from './isolation/child/parent-connection.js';
import { RunWaitsOfChild } from './isolation/child/run-waits-of-child.js';
import { createChildEngine } from './isolation/child/child-engine.js';
import { ForwardedJournal } from './isolation/child/forwarded-journal.js';
import { PARENT_LINK, type ParentLink } from './isolation/isolated-process.js';
import { setupOf } from './isolation/application-setup.js';
import { Isolation } from './isolation/isolation.js';
import { CHILD_PROVIDERS } from './isolation/isolation.providers.js';
import { OPERATOR, OPERATOR_PROVIDERS } from './operator/operator.providers.js';
import type { TaskProducer } from './producers/task-producer.js';
import { TaskQueue } from './producers/task-queue.js';
import { TaskResults } from './results/task-results.js';
import { DeclaredSchedules } from './schedules/declared-schedules.js';
import { ScheduleClock } from './schedules/schedule-clock.js';
import { ScheduleLag } from './schedules/schedule-lag.js';
import { SCHEDULE_DEPS, SCHEDULE_PROVIDERS, type ScheduleDeps } from './schedules/schedules.providers.js';
import { TaskSchedules } from './schedules/task-schedules.js';
import { LIFECYCLE_PROVIDERS } from './task-queue.lifecycle.providers.js';
import { MODULE_OPTIONS_TOKEN } from './task-queue.module-definition.js';
import { checkOptions } from './option-groups.js';
import { resolveOptions, type ResolvedOptions, type TaskQueueOptions } from './task-queue-options.js';
import { ENGINE, OUTBOX, RESOLVED_OPTIONS } from './task-queue-tokens.js';
import { TESTING_SLOT, type TestingSlot } from './testing-slot.module.js';
import { packageVersion } from './package-location.cjs';
import type { Outbox } from './transactions/outbox/outbox.js';
import { OUTBOX_PROVIDERS } from './transactions/outbox/outbox.providers.js';
import { workerControl } from './worker-control.js';
import { TaskExplorer } from './tasks/task-explorer.js';
import { TaskRegistry } from './tasks/task-registry.js';
import { CallStores } from './transactions/call-stores.js';
import { RunWaitsOfProcess } from './workers/run-waits-of-process.js';
import { TaskInvokerFactory } from './workers/task-invoker-factory.js';
import { TaskContext } from './workers/task-context.js';
import { RunPlaces } from './workers/batches/run-places.js';
import { TaskExecutor } from './workers/task-executor.js';
import { TaskLoader } from './workers/task-loader.js';
import { TaskWorkers } from './workers/task-workers.js';
import { WorkerPresence } from './workers/worker-presence.js';
import { WORKER_CONTROL, WORKER_SETTINGS, type WorkerSettings } from './workers/worker-process.js';
import { WorkflowRunner } from './workflows/workflow-runner.js';
import { WorkflowStarter } from './workflows/workflow-starter.js';

/**
 * How often a task of an unknown name is put back before it fails. That takes about five minutes, as long as a deploy.
 */
const UNKNOWN_TASK_RETURNS = 12;

/** The providers of this package that do not depend on the options. */
export const PROVIDERS: Provider[] = [
  {
    provide: RESOLVED_OPTIONS,
    inject: [
      ...[MODULE_OPTIONS_TOKEN, ModulesContainer, TESTING_SLOT],
      ...[
        { token: WORKER_SETTINGS, optional: true },
        { token: PARENT_LINK, optional: true },
      ],
    ],
    useFactory: (
      options: TaskQueueOptions,
      modules: ModulesContainer,
      slot: TestingSlot,
      worker?: WorkerSettings,
      parent?: ParentLink,
    ) => {
      checkImportedOnce(
        modules,
        RESOLVED_OPTIONS,
        'Tasks that one of them stores would not run in the other. The module is global',
      );
      checkOptions(options);
      return resolveOptions(
        { ...options, ...slot.options },
        process.env,
        worker,
        slot.options !== undefined,
        parent !== undefined,
      );
    },
  },
  {
    provide: ENGINE,
    inject: [RESOLVED_OPTIONS, TESTING_SLOT, ParentConnection],
    useFactory: (options: ResolvedOptions, slot: TestingSlot, parent?: ParentConnection) =>
      parent ? createChildEngine(parent) : createEngine(options, slot.engine),
  },
  {
    provide: LimitedEnqueue,
    inject: [ENGINE, RESOLVED_OPTIONS],
    useFactory: (engine: Engine, { queues }: ResolvedOptions) =>
      new LimitedEnqueue({ engine, maxQueued: (queue) => queues.get(queue)?.maxQueued }),
  },
  Instrumentations,
  {
    provide: InstrumentedEnqueue,
    inject: [LimitedEnqueue, Instrumentations],
    useFactory: (calls: LimitedEnqueue, instrumentations: Instrumentations) =>
      new InstrumentedEnqueue(calls, instrumentations),
  },
  {
    provide: CallStores,
    inject: [ENGINE, InstrumentedEnqueue, LimitedEnqueue, Instrumentations, OUTBOX, RESOLVED_OPTIONS],
    useFactory: (
      engine: Engine,
      direct: InstrumentedEnqueue,
      limited: LimitedEnqueue,
      instrumentations: Instrumentations,
      outbox: Outbox | undefined,
      { transaction }: ResolvedOptions,
    ) =>
      new CallStores({
        engine,
        direct,
        through: (store) => new InstrumentedEnqueue(limited.through(store), instrumentations),
        outbox: outbox && ((adapter) => outbox.enqueueIn(adapter)),
        current: transaction,
      }),
  },
  TaskContext,
  TaskRegistry,
  TaskExplorer,
  {
    provide: TaskInvokerFactory,
    inject: [ApplicationConfig, ModulesContainer, ModuleRef, TaskContext, RESOLVED_OPTIONS],
    useFactory: (
      config: ApplicationConfig,
      modules: ModulesContainer,
      moduleRef: ModuleRef,
      context: TaskContext,
      { enhancers }: ResolvedOptions,
    ) =>
      new TaskInvokerFactory({
        config,
        modules,
        moduleRef,
        context,
        enhancers: { ...enhancers, except: [TaskHttpInterceptor] },
      }),
  },
  {
    provide: TaskLoader,
    inject: [TaskExplorer, TaskRegistry, TaskInvokerFactory, RESOLVED_OPTIONS, TESTING_SLOT],
    useFactory: (
      explorer: TaskExplorer,
      registry: TaskRegistry,
      invokers: TaskInvokerFactory,
      { defaults }: ResolvedOptions,
      { register }: TestingSlot,
    ) => new TaskLoader({ explorer, registry, invokers, defaults, register }),
  },
  {
    provide: RunWaitsOfProcess,
    inject: [ENGINE, TaskContext],
    useFactory: (engine: Engine, context: TaskContext) => new RunWaitsOfProcess({ engine, context }),
  },
  {
    provide: TaskResults,
    inject: [ENGINE, RunWaitsOfProcess, TaskContext, RESOLVED_OPTIONS, OUTBOX, ParentConnection],
    useFactory: (
      engine: Engine,
      ofProcess: RunWaitsOfProcess,
      context: TaskContext,
      { queues, topology }: ResolvedOptions,
      outbox: Outbox | undefined,
      parent?: ParentConnection,
    ) => {
      const runWaits = parent ? new RunWaitsOfChild({ context, parent }) : ofProcess;
      return new TaskResults(engine, runWaits, (queue) => queues.get(queue)?.rateLimit, topology, outbox?.waitingCalls);
    },
  },
  {
    provide: TaskEvents,
    inject: [ENGINE, DiscoveryService, ModuleRef, RESOLVED_OPTIONS],
    useFactory: (engine: Engine, discovery: DiscoveryService, moduleRef: ModuleRef, { defaults }: ResolvedOptions) =>
      new TaskEvents({ engine, explorer: new ListenerExplorer(discovery, defaults), moduleRef }),
  },
  {
    provide: WorkerPresence,
    inject: [ENGINE, TaskRegistry, DeclaredSchedules, ScheduleClock, RESOLVED_OPTIONS],
    useFactory: (
      engine: Engine,
      registry: TaskRegistry,
      schedules: DeclaredSchedules,
      clock: ScheduleClock,
      options: ResolvedOptions,
    ) =>
      new WorkerPresence({
        engine,
        code: () => ({
          application: options.application,
          tasks: registry.names(),
          schedules: schedules.list().map(({ id }) => id),
        }),
        queues: () => consumedQueues(options, registry),
        tasksOfQueues: () => registry.namesByQueue(),
        schedulesSince: () => clock.since,
        version: packageVersion() ?? 'unknown',
        topology: options.topology,
      }),
  },
  {
    provide: TaskExecutor,
    inject: [
      ...[ENGINE, WorkerPresence, TaskRegistry, TaskContext, RESOLVED_OPTIONS, TESTING_SLOT, Isolation],
      { token: PARENT_LINK, optional: true },
    ],
    useFactory: (
      engine: Engine,
      presence: WorkerPresence,
      registry: TaskRegistry,
      context: TaskContext,
      options: ResolvedOptions,
      { progressInterval }: TestingSlot,
      isolation: Isolation | undefined,
      parent?: ParentLink,
    ) =>
      new TaskExecutor(registry, context, {
        maxPayload: options.maxPayload,
        places: new RunPlaces({
          concurrency: (queue) => concurrencyOf(queue, options),
          shared: (queue) => (registry.batchSizeOf(queue) > 1 ? engine.places : undefined),
        }),
        progressInterval,
        unknownTaskReturns: UNKNOWN_TASK_RETURNS,
        // The parent declares what it sends.
        isDeclaredElsewhere: async (queue, task) => !parent && presence.isDeclaredElsewhere(queue, task),
        now: () => engine.now(),
        isolated: isolation?.tasks,
        ...(parent && { isChild: true, journal: new ForwardedJournal(parent) }),
      }),
  },
  {
    provide: Isolation,
    inject: [ENGINE, Instrumentations, TaskRegistry, RunWaitsOfProcess, RESOLVED_OPTIONS, TESTING_SLOT],
    useFactory: (
      engine: Engine,
      instrumentations: Instrumentations,
      registry: TaskRegistry,
      runWaits: RunWaitsOfProcess,
      options: ResolvedOptions,
      slot: TestingSlot,
    ) =>
      // A test runs its tasks in its own process, and so does a child.
      options.isolation && !options.isChild && !slot.engine
        ? new Isolation({
            engine,
            instrumentations,
            registry,
            runWaits,
            options: options.isolation,
            setup: () => setupOf(options, registry),
            queues: () => consumedQueues(options, registry).keys(),
          })
        : undefined,
  },
  ...CHILD_PROVIDERS,
  {
    provide: WorkflowRunner,
    inject: [ENGINE, Instrumentations, TaskExecutor, TaskRegistry, RESOLVED_OPTIONS],
    useFactory: (
      engine: Engine,
      instrumentations: Instrumentations,
      executor: TaskExecutor,
      registry: TaskRegistry,
      { maxPayload, queues, topology }: ResolvedOptions,
    ) =>
      new WorkflowRunner({
        engine,
        // What belongs to tasks that are stored already is stored also in a full queue.
        calls: new InstrumentedEnqueue(engine, instrumentations),
        instrumentations,
        executor,
        itemsAtOnce: (task) => registry.get(task)?.definition.batch?.size ?? 1,
        maxPayload,
        hasRateLimit: rateLimitsOf(queues),
        topology,
      }),
  },
  {
    provide: BulkRunner,
    inject: [ENGINE, WorkflowRunner],
    useFactory: (engine: Engine, next: WorkflowRunner) => new BulkRunner({ engine, next }),
  },
  {
    provide: WorkflowStarter,
    inject: [CallStores, TaskResults, TaskContext, TaskRegistry, RESOLVED_OPTIONS],
    useFactory: (
      stores: CallStores,
      results: TaskResults,
      context: TaskContext,
      registry: TaskRegistry,
      { maxPayload, queues, topology }: ResolvedOptions,
    ) =>
      new WorkflowStarter({
        stores,
        results,
        maxPayload,
        hasRateLimit: rateLimitsOf(queues),
        topology,
        currentHeaders: () => context.current()?.headers ?? {},
        definitionOf: (name) => registry.get(name)?.definition,
      }),
  },
  {
    provide: TaskWorkers,
    inject: [
      ...[ENGINE, BulkRunner, WorkerPresence, RunWaitsOfProcess, TaskRegistry, BootReport, TaskResults, TaskEvents],
      ...[TaskExecutor, Isolation, RESOLVED_OPTIONS, ModulesContainer],
    ],
    useFactory: (
      engine: Engine,
      runner: BulkRunner,
      presence: WorkerPresence,
      runWaits: RunWaitsOfProcess,
      registry: TaskRegistry,
      report: BootReport,
      results: TaskResults,
      events: TaskEvents,
      executor: TaskExecutor,
      isolation: Isolation | undefined,
      options: ResolvedOptions,
      modules: ModulesContainer,
    ) =>
      new TaskWorkers({
        engine,
        handler: runner,
        presence,
        runWaits,
        queues: () => withInternalQueues(consumedQueues(options, registry), options),
        grace: options.grace,
        report,
        stopListeners: () => events.stop(),
        giveBackHeld: () => executor.close(),
        children: isolation,
        processors: () => processorsIn(modules),
        abandonStart: async () => {
          await isolation?.stop();
          await results.close();
          await engine.close();
        },
      }),
  },
  {
    provide: TaskQueue,
    inject: [CallStores, TaskResults, WorkflowStarter, TaskContext, TaskRegistry, RESOLVED_OPTIONS],
    useFactory: (
      stores: CallStores,
      results: TaskResults,
      starter: WorkflowStarter,
      context: TaskContext,
      registry: TaskRegistry,
      { defaults, maxPayload, queues, topology }: ResolvedOptions,
    ) =>
      new TaskQueue(
        {
          stores,
          results,
          starter,
          maxPayload,
          hasPriorities: (queue) => queues.get(queue)?.priorities ?? false,
          topology,
          currentHeaders: () => context.current()?.headers ?? {},
        },
        defaults,
        (name) => registry.get(name)?.definition,
      ),
  },
  {
    provide: WORKER_CONTROL,
    inject: [
      ...[RESOLVED_OPTIONS, TaskRegistry, Instrumentations, TaskWorkers, ENGINE],
      { token: WORKER_SETTINGS, optional: true },
    ],
    useFactory: (
      options: ResolvedOptions,
      registry: TaskRegistry,
      instrumentations: Instrumentations,
      workers: TaskWorkers,
      engine: Engine,
      settings?: WorkerSettings,
    ) => workerControl({ options, registry, instrumentations, workers, engine }, settings),
  },
  {
    provide: SCHEDULE_DEPS,
    inject: [ENGINE, InstrumentedEnqueue, TaskResults, TaskExplorer, TaskQueue, TaskRegistry, RESOLVED_OPTIONS],
    useFactory: (
      engine: Engine,
      calls: InstrumentedEnqueue,
      results: TaskResults,
      explorer: TaskExplorer,
      taskQueue: TaskQueue,
      registry: TaskRegistry,
      options: ResolvedOptions,
    ): ScheduleDeps => ({
      engine,
      topology: options.topology,
      calls,
      results,
      explorer,
      defaults: options.defaults,
      template: (task, args) =>
        (typeof task === 'string' ? taskQueue.of(task) : (task as TaskProducer)).toTemplate(args),
      queues: () => [...consumedQueues(options, registry).keys()],
      application: options.application,
      tasks: () => registry.names(),
      enabled: options.role !== 'producer',
    }),
  },
  ...OUTBOX_PROVIDERS,
  ...SCHEDULE_PROVIDERS,
  ...ADMIN_PROVIDERS,
  ...OPERATOR_PROVIDERS,
  ...LIFECYCLE_PROVIDERS,
];

/** The providers that other modules of the application may inject. */
export const EXPORTS = [
  TaskQueue,
  TaskSchedules,
  TaskAdmin,
  AdminActs,
  TaskContext,
  TaskResults,
  TaskWorkers,
  ScheduleLag,
  TaskRegistry,
  OUTBOX,
  RESOLVED_OPTIONS,
  ENGINE,
  Instrumentations,
  OPERATOR,
];

function rateLimitsOf(queues: ResolvedOptions['queues']): (queue: string) => boolean {
  return (queue) => queues.get(queue)?.rateLimit !== undefined;
}
