import type { Provider } from '@nestjs/common';
import type { LazyModuleLoader, ModulesContainer } from '@nestjs/core';
import type { BootReport } from './boot-report.js';
import type { DeclaredInCode } from './declared-in-code.js';
import type { Engine } from './engine/engine.js';
import type { TaskEvents } from './events/task-events.js';
import type { HttpSetup } from './http/http-setup.js';
import { producersOf } from './injected-producers.js';
import { afterEachLoad } from './patched-lazy-module-loader.js';
import { declaredQueue } from './native-queues.js';
import { INJECTED_SOURCES } from './producers/injected-sources.js';
import type { TaskResults } from './results/task-results.js';
import type { DeclaredSchedules } from './schedules/declared-schedules.js';
import type { ScheduleClock } from './schedules/schedule-clock.js';
import { ENGINE, nativeQueueToken } from './task-queue-tokens.js';
import { DECLARED_QUEUES } from './tasks/declared-queues.js';
import type { Outbox } from './transactions/outbox/outbox.js';
import type { TaskLoader } from './workers/task-loader.js';
import type { TaskWorkers } from './workers/task-workers.js';
import type { WorkerPresence } from './workers/worker-presence.js';
import { registerRunningApp } from './workflows/running-apps.js';
import type { WorkflowStarter } from './workflows/workflow-starter.js';

export interface LifecycleDeps {
  readonly engine: Engine;
  readonly loader: TaskLoader;
  readonly schedules: DeclaredSchedules;
  readonly events: TaskEvents;
  readonly clock: ScheduleClock;
  readonly workers: TaskWorkers;
  readonly presence: WorkerPresence;
  readonly results: TaskResults;
  readonly http: HttpSetup;
  readonly starter: WorkflowStarter;
  readonly outbox: Outbox | undefined;
  readonly report: BootReport;
  readonly modules: ModulesContainer;
  readonly lazyModules: LazyModuleLoader;
}

/** What the module does at each step of the application's life. The order is that of the methods. */
export class TaskQueueLifecycle {
  private readonly onClose: (() => void)[] = [];
  private loading: Promise<void> = Promise.resolve();
  private isClosed = false;

  constructor(private readonly deps: LifecycleDeps) {}

  configure(): void {
    this.deps.http.configure();
  }

  async start(): Promise<void> {
    const { engine, lazyModules, report, starter } = this.deps;
    try {
      report.warnOfEngine();
      this.provideLater();
      afterEachLoad(lazyModules, () => this.loadMore());
      await this.load();
      await engine.start();
      await this.deps.presence.announce();
      await this.deps.outbox?.start();
    } catch (error) {
      // Nest calls no shutdown hook when the start of an application fails.
      await this.endWaits();
      await this.close();
      throw error;
    }
    this.onClose.push(registerRunningApp(starter));
  }

  /** Registers the tasks, schedules and listeners that are not registered yet. One call waits for the other. The testing kit calls it too. */
  load(): Promise<void> {
    const { events, loader, schedules } = this.deps;
    const loaded = this.loading.then(async () => {
      await loader.load();
      await schedules.load();
      events.load();
    });
    this.loading = loaded.catch(() => undefined);
    return loaded;
  }

  /**
   * Ends all waits for tasks. To be called after the workers have stopped, and before the HTTP server waits for its
   * requests, some of which wait for tasks.
   */
  async endWaits(): Promise<void> {
    await this.deps.results.close();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    for (const end of this.onClose.splice(0)) end();
    this.deps.events.close();
    await this.deps.outbox?.stop();
    await this.deps.engine.close();
  }

  /** Takes in a module that the application has loaded later. */
  private async loadMore(): Promise<void> {
    if (this.isClosed) return;
    await this.load();
    await this.deps.presence.refresh();
    await this.deps.workers.startMore();
    await this.deps.clock.reload();
  }

  /** Provides what the classes of modules that come later inject with `@InjectTasks()` and `@InjectQueue()`. */
  private provideLater(): void {
    const own = [...this.deps.modules.values()].find(({ providers }) => providers.has(ENGINE));
    if (!own) return;
    const provide = (token: string | symbol, provider: Provider) => {
      if (own.providers.has(token)) return;
      own.addProvider(provider);
      own.addExportedProviderOrModule(token);
    };
    const provideEach = <V>(declared: DeclaredInCode<unknown, V>, provideOne: (value: V) => void) => {
      for (const each of declared) provideOne(each);
      this.onClose.push(declared.follow(provideOne));
    };
    provideEach(INJECTED_SOURCES, (source) => provide(source.token, producersOf(source)));
    provideEach(DECLARED_QUEUES, (name) => provide(nativeQueueToken(name), declaredQueue(name)));
  }
}
