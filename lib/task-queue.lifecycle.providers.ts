import type { Provider } from '@nestjs/common';
import { LazyModuleLoader, ModulesContainer } from '@nestjs/core';
import { BootReport } from './boot-report.js';
import { consumedQueues } from './consumed-queues.js';
import type { Engine } from './engine/engine.js';
import { TaskEvents } from './events/task-events.js';
import { HttpSetup } from './http/http-setup.js';
import { producersInjectedIn } from './injected-producers.js';
import { TaskResults } from './results/task-results.js';
import { DeclaredSchedules } from './schedules/declared-schedules.js';
import { ScheduleClock } from './schedules/schedule-clock.js';
import { TaskQueueLifecycle } from './task-queue.lifecycle.js';
import type { ResolvedOptions } from './task-queue-options.js';
import { ENGINE, OUTBOX, RESOLVED_OPTIONS } from './task-queue-tokens.js';
import { TaskRegistry } from './tasks/task-registry.js';
import type { Outbox } from './transactions/outbox/outbox.js';
import { TaskLoader } from './workers/task-loader.js';
import { TaskWorkers } from './workers/task-workers.js';
import { WorkerPresence } from './workers/worker-presence.js';
import { WorkflowStarter } from './workflows/workflow-starter.js';

/** The providers of what happens when the application starts and closes. */
export const LIFECYCLE_PROVIDERS: Provider[] = [
  {
    provide: BootReport,
    inject: [TaskRegistry, ModulesContainer, RESOLVED_OPTIONS],
    useFactory: (registry: TaskRegistry, modules: ModulesContainer, options: ResolvedOptions) =>
      new BootReport({
        options,
        registry,
        queues: () => consumedQueues(options, registry).keys(),
        injected: () => producersInjectedIn(modules),
      }),
  },
  {
    provide: TaskQueueLifecycle,
    inject: [
      ENGINE,
      TaskLoader,
      DeclaredSchedules,
      TaskEvents,
      ScheduleClock,
      TaskWorkers,
      WorkerPresence,
      TaskResults,
      HttpSetup,
      WorkflowStarter,
      OUTBOX,
      BootReport,
      ModulesContainer,
      LazyModuleLoader,
    ],
    useFactory: (
      engine: Engine,
      loader: TaskLoader,
      schedules: DeclaredSchedules,
      events: TaskEvents,
      clock: ScheduleClock,
      workers: TaskWorkers,
      presence: WorkerPresence,
      results: TaskResults,
      http: HttpSetup,
      starter: WorkflowStarter,
      outbox: Outbox | undefined,
      report: BootReport,
      modules: ModulesContainer,
      lazyModules: LazyModuleLoader,
    ) =>
      new TaskQueueLifecycle({
        engine,
        loader,
        schedules,
        events,
        clock,
        workers,
        presence,
        results,
        http,
        starter,
        outbox,
        report,
        modules,
        lazyModules,
      }),
  },
];
