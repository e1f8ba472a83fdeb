import type { Engine } from '../engine/engine.js';
import type { Instrumentations } from '../engine/instrumentation.js';
import type { Places } from '../engine/ports/worker-port.js';
import { ConfigurationError } from '../errors.js';
import { memoryText } from '../memory-size.js';
import type { TaskDefinition } from '../tasks/task-definition.js';
import type { TaskRegistry } from '../tasks/task-registry.js';
import { differenceOf, type ApplicationSetup } from './application-setup.js';
import { ChildPool } from './child-pool.js';
import { ChildProcess } from './child-process.js';
import { ChildWaits, type ChildWaitsDeps } from './child-waits.js';
import { ISOLATED_VARIABLE } from './isolated-process.js';
import { IsolatedTasks, missingApplication } from './isolated-tasks.js';
import type { ResolvedIsolation } from './isolation-options.js';

export interface IsolationDeps {
  readonly engine: Engine;
  readonly instrumentations: Instrumentations;
  readonly registry: Pick<TaskRegistry, 'get' | 'isolated' | 'isIsolated'>;
  readonly runWaits: ChildWaitsDeps['runWaits'];
  readonly options: ResolvedIsolation;
  /** What this process declares now. */
  readonly setup: () => ApplicationSetup;
  /** The queues that this process consumes. */
  readonly queues: () => Iterable<string>;
  readonly env?: NodeJS.ProcessEnv;
}

/** The child processes of one application, and the tasks that run in them. */
export class Isolation {
  readonly tasks: IsolatedTasks;
  private readonly pool: ChildPool;
  private readonly waits: ChildWaits;
  /** What the children must have in common with this process. A module that is loaded later has tasks that they cannot know. */
  private setup: ApplicationSetup | undefined;

  constructor(private readonly deps: IsolationDeps) {
    const { engine, instrumentations, options } = deps;
    this.waits = new ChildWaits({ ...deps, processes: options.processes });
    this.pool = new ChildPool({ ...options, fork: () => this.fork() });
    this.tasks = new IsolatedTasks({ engine, instrumentations, pool: this.pool });
  }

  /**
   * Boots the first child, when this process consumes a queue with isolated tasks.
   *
   * @throws ConfigurationError when the children cannot boot, with the reason
   */
  async start(): Promise<void> {
    const queues = new Set(this.deps.queues());
    const [task] = this.deps.registry.isolated().filter(({ queue }) => queues.has(queue));
    if (!task || this.pool.isStarted) return;
    this.check(task);
    try {
      await this.pool.start();
    } catch (error) {
      if (error instanceof ConfigurationError) throw error;
      const { file, exportName } = this.deps.options.app as { file: string; exportName: string | undefined };
      throw new ConfigurationError(
        `The child process for the isolated task "${task.name}" did not boot ${file}${exportName === undefined ? '' : `#${exportName}`}: ${(error as Error).message}`,
      );
    }
    this.checkMemory();
  }

  /** The places for the tasks of a queue whose tasks are all isolated; `undefined` for any other queue. */
  placesOf(queue: string): Places | undefined {
    return this.deps.registry.isIsolated(queue) ? this.pool.placesOf(queue) : undefined;
  }

  /** Closes the children. To be called after the tasks have ended. */
  stop(): Promise<void> {
    return this.pool.stop();
  }

  private fork(): ChildProcess {
    const { engine, options, registry } = this.deps;
    const { app } = options;
    const tasks = registry.isolated();
    if (!app) throw missingApplication(tasks[0] as TaskDefinition);
    const clockOffset = engine.now() - Date.now();
    const setup = (this.setup ??= this.deps.setup());
    return new ChildProcess({
      job: { ...app, parent: process.pid, clockOffset },
      engine,
      waits: this.waits,
      heap: heapOf(tasks),
      refusalOf: (child) => differenceOf(setup, child),
    });
  }

  private check(task: TaskDefinition): void {
    if (!this.deps.options.app) throw missingApplication(task);
    const { env = process.env } = this.deps;
    if (!env[ISOLATED_VARIABLE]) return;
    throw new ConfigurationError(
      `This is a child process for isolated tasks (${ISOLATED_VARIABLE} is set), and it starts an application that has child processes itself. ` +
        'The file in isolation.app must only export the root module: call NestFactory.create() in another file.',
    );
  }

  /** An application that needs more than the limit by itself would never end a task. */
  private checkMemory(): void {
    const { memoryAtBoot } = this.pool;
    const small = this.deps.registry.isolated().find(({ isolate }) => (isolate?.memory ?? Infinity) <= memoryAtBoot);
    if (!small) return;
    throw new ConfigurationError(
      `The memory in isolate of task "${small.name}" is ${memoryText(small.isolate?.memory as number)}, but the application alone takes ${memoryText(memoryAtBoot)}. ` +
        'Give more, at least twice as much as the application takes.',
    );
  }
}

/** The limit of the heap: the largest of all tasks, because each child runs all of them. None, when a task has no limit. */
function heapOf(tasks: readonly TaskDefinition[]): number | undefined {
  const limits = tasks.map(({ isolate }) => isolate?.memory ?? Infinity);
  const largest = Math.max(0, ...limits);
  return largest === Infinity || largest === 0 ? undefined : largest;
}
