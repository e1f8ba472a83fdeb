import type { Provider } from '@nestjs/common';
import type { Engine } from '../engine/engine.js';
import type { Topology } from '../engine/shards/topology.js';
import type { InstrumentedEnqueue } from '../engine/instrumented-enqueue.js';
import { isAlive } from '../engine/ports/worker-registry.js';
import type { TaskResults } from '../results/task-results.js';
import type { TaskExplorer } from '../tasks/task-explorer.js';
import type { TaskOptions } from '../tasks/task-options.js';
import type { TaskTemplate } from '../tasks/task-template.js';
import { DeclaredSchedules } from './declared-schedules.js';
import { ScheduleBook } from './schedule-book.js';
import { ScheduleClock } from './schedule-clock.js';
import { ScheduleLag } from './schedule-lag.js';
import { ScheduleReconciler } from './schedule-reconciler.js';
import { TaskSchedules } from './task-schedules.js';
import { TickRunner } from './tick-runner.js';

/** The parts of the application that schedules need. */
export interface ScheduleDeps {
  readonly engine: Engine;
  readonly topology: Topology;
  /** Stores the calls of schedules, unless their queue is full. */
  readonly calls: Pick<InstrumentedEnqueue, 'enqueue'>;
  readonly results: TaskResults;
  readonly explorer: TaskExplorer;
  readonly defaults: TaskOptions;
  /** The call that a schedule of this task enqueues. The task is given by its producer or its name. */
  readonly template: (task: string | { readonly name: string }, args: readonly unknown[]) => Promise<TaskTemplate>;
  /** The queues that this process consumes; none in a process that runs no tasks. */
  readonly queues: () => readonly string[];
  /** The name of this application; `undefined` when it has none. */
  readonly application: string | undefined;
  /** The names of the tasks that this process declares. */
  readonly tasks: () => readonly string[];
  /** Whether this process runs tasks. */
  readonly enabled: boolean;
}

/** Injects the {@link ScheduleDeps}. */
export const SCHEDULE_DEPS = Symbol('nestjs-task-queue: what schedules need');

export const SCHEDULE_PROVIDERS: Provider[] = [
  {
    provide: ScheduleBook,
    inject: [SCHEDULE_DEPS],
    useFactory: ({ engine }: ScheduleDeps) => new ScheduleBook(engine.schedules, () => engine.now()),
  },
  {
    provide: DeclaredSchedules,
    inject: [SCHEDULE_DEPS],
    useFactory: ({ explorer, defaults, template }: ScheduleDeps) => new DeclaredSchedules(explorer, defaults, template),
  },
  {
    provide: ScheduleClock,
    inject: [SCHEDULE_DEPS, ScheduleBook, DeclaredSchedules],
    useFactory: (deps: ScheduleDeps, book: ScheduleBook, declared: DeclaredSchedules) => {
      const { engine, topology, calls, queues, application, tasks, enabled } = deps;
      const reconciler = new ScheduleReconciler(
        book,
        () => declared.list(),
        queues,
        () => engine.now(),
        () => ({ application, tasks: tasks(), schedules: declared.list().map(({ id }) => id) }),
        async () => (await engine.workers.list()).filter((worker) => isAlive(worker, engine.now())),
        (id) => declared.formerIdsOf(id),
      );
      return new ScheduleClock(engine, book, new TickRunner(engine, book, calls), reconciler, enabled, topology);
    },
  },
  {
    provide: ScheduleLag,
    inject: [SCHEDULE_DEPS, ScheduleClock, ScheduleBook],
    useFactory: ({ engine }: ScheduleDeps, clock: ScheduleClock, book: ScheduleBook) =>
      new ScheduleLag({ engine, clock, book }),
  },
  {
    provide: TaskSchedules,
    inject: [SCHEDULE_DEPS, ScheduleBook, DeclaredSchedules],
    useFactory: (deps: ScheduleDeps, book: ScheduleBook, declared: DeclaredSchedules) => {
      const { engine, topology, calls, results, template } = deps;
      return new TaskSchedules({ engine, topology, calls, results, book, declared, template });
    },
  },
];
