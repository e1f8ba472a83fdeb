import { describePlace, describePlaces } from './engine/describe-connection.js';
import { DEFAULT_SHARD } from './engine/shards/topology.js';
import type { InjectedProducers } from './injected-producers.js';
import type { ResolvedOptions } from './task-queue-options.js';
import type { TaskSource } from './producers/tasks.js';
import { isContract } from './tasks/task-contract.js';
import { definitionOfContract, definitionsOf, type TaskDefinition } from './tasks/task-definition.js';
import type { TaskOptions } from './tasks/task-options.js';
import type { TaskRegistry } from './tasks/task-registry.js';
import { PackageLogger } from './package-logger.js';

export interface BootReportDeps {
  readonly options: ResolvedOptions;
  readonly registry: TaskRegistry;
  /** The queues that this process consumes. */
  readonly queues: () => Iterable<string>;
  /** What the classes of this application inject with `@InjectTasks()`. */
  readonly injected: () => readonly InjectedProducers[];
}

/** Logs what matters when an application starts: where its tasks are, what it runs, and what will probably never run. */
export class BootReport {
  private readonly logger = new PackageLogger();

  constructor(private readonly deps: BootReportDeps) {}

  /** Warns of a production process that stores its tasks in a folder because its configuration names no server. */
  warnOfEngine(env: NodeJS.ProcessEnv = process.env): void {
    const { connection, isDefaultConnection, prefix, isChild } = this.deps.options;
    if (isChild || env['NODE_ENV'] !== 'production' || !isDefaultConnection) return;
    this.logger.warn(
      `NODE_ENV is "production", and neither the option connection nor TASK_QUEUE_URL names a server, so tasks are stored in ${describePlace(connection, prefix)}. ` +
        "Only one process can use it. Set TASK_QUEUE_URL=redis://… or postgres://…; connection: 'pglite:.task-queue' says that it is meant, and removes this warning.",
    );
  }

  /** To be called once the consumers have started. */
  onStarted(): void {
    const { role, isChild } = this.deps.options;
    // Its parent has logged all of this.
    if (isChild) return;
    const queues = [...this.deps.queues()];
    if (queues.length > 0) this.logger.log(`Running ${this.placed(queues)}.`);
    else {
      const why = role === 'producer' ? 'its role is producer' : 'none of its providers declares one';
      this.logger.log(`Enqueuing on ${describePlaces(this.deps.options)}. This process runs no tasks, because ${why}.`);
    }
    if (role === 'producer') return;
    this.warnOfQueues(queues);
    this.warnOfUndeclaredTasks(new Set(queues));
  }

  /** A module that was loaded later has tasks of further queues. */
  onMoreStarted(queues: readonly string[]): void {
    this.logger.log(`Also running ${this.placed(queues)}.`);
  }

  /** The queues with the places of their tasks: `the queue mail on Redis at a, prefix tasks; the queue media on PostgreSQL at b` */
  private placed(queues: readonly string[]): string {
    const { connection, prefix, shards, topology } = this.deps.options;
    return [{ name: DEFAULT_SHARD, connection, prefix }, ...shards]
      .map((shard) => ({ ...shard, queues: queues.filter((queue) => topology.shardOf(queue) === shard.name) }))
      .filter((shard) => shard.queues.length > 0)
      .map((shard) => `${named(shard.queues)} on ${describePlace(shard.connection, shard.prefix)}`)
      .join('; ');
  }

  /** Warns of queues that this process consumes although it has no task of them. */
  private warnOfQueues(queues: readonly string[]): void {
    const { options, registry } = this.deps;
    const declared = registry.queues();
    const configured = options.queues;
    const unknown = queues.filter((queue) => !declared.has(queue) && !configured.has(queue));
    if (unknown.length === 0) return;
    this.logger.warn(
      `This process consumes ${named(unknown)}, but none of its tasks has that queue (${[...declared].join(', ') || 'there is no task'}). ` +
        `Check ${options.consumeSource}, or name the queue in the option queues.`,
    );
  }

  /**
   * Warns of tasks that the application injects and probably no worker runs. Another process may declare the task of a
   * contract, whose queue this process does not consume; a class is mostly declared in the same application.
   */
  private warnOfUndeclaredTasks(consumed: ReadonlySet<string>): void {
    const { options, registry, injected } = this.deps;
    for (const { source, by } of injected()) {
      const isShared = isContract(source) || options.consume !== '*';
      const missing = definitionsIn(source, options.defaults).filter(
        ({ name, queue }) => !registry.get(name) && (!isShared || consumed.has(queue)),
      );
      const [first] = missing;
      if (!first) continue;
      const cure = isContract(source)
        ? `Add a method with @Task(${source.name}), or leave the queue "${first.queue}" out of the option consume.`
        : `Add ${source.name} to the providers, or { provide: ${source.name}, useExisting: … } for another class that stands for it. If another process runs the tasks, role: 'producer' or a list of queues in the option consume says so.`;
      this.logger.warn(
        `${by} injects @InjectTasks(${source.name}), but no provider of this process declares ${missing.map(({ name }) => name).join(', ')}. ${cure}`,
      );
    }
  }
}

function definitionsIn(source: TaskSource, defaults: TaskOptions): TaskDefinition[] {
  return isContract(source) ? [definitionOfContract(source, defaults)] : [...definitionsOf(source, defaults).values()];
}

/** `the queue a`, `the queues a, b` */
function named(queues: readonly string[]): string {
  return `the queue${queues.length > 1 ? 's' : ''} ${queues.join(', ')}`;
}
