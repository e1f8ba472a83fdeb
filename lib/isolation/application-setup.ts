import { describePlaces } from '../engine/describe-connection.js';
import { packageVersion } from '../package-location.cjs';
import type { ResolvedOptions } from '../task-queue-options.js';
import type { TaskRegistry } from '../tasks/task-registry.js';

/** What an application has in common with the one that its child processes boot. */
export interface ApplicationSetup {
  /** The version of this package. */
  readonly version: string | undefined;
  /** Where its tasks are stored, without credentials. */
  readonly place: string;
  /** The names of its isolated tasks, sorted. */
  readonly tasks: readonly string[];
}

/** The setup of this process, with the tasks that are declared now. */
export function setupOf(
  options: Pick<ResolvedOptions, 'connection' | 'prefix' | 'shards'>,
  registry: Pick<TaskRegistry, 'isolated'>,
): ApplicationSetup {
  const tasks = registry.isolated().map(({ name }) => name);
  return { version: packageVersion(), place: describePlaces(options), tasks: tasks.toSorted() };
}

/**
 * Why a child process with this setup cannot run the tasks of its parent, with the cure; `undefined` when it can.
 *
 * @param child `undefined`: its version of this package is older than setups
 */
export function differenceOf(parent: ApplicationSetup, child: ApplicationSetup | undefined): string | undefined {
  if (!child || child.version !== parent.version) {
    return (
      `it uses nestjs-task-queue ${child?.version ?? 'of another version'}, and this process ${parent.version ?? 'a bundle of it'}. ` +
      'Install one version for both, and start this process again after an update.'
    );
  }
  if (child.place !== parent.place) {
    return (
      `it would store tasks in ${child.place}, and this process stores them in ${parent.place}. Give forRoot() the same connection, prefix and ` +
      'shards in both: none of them may depend on TASK_QUEUE_ISOLATED, on the arguments of the process, or on what only main.ts sets.'
    );
  }
  const missing = parent.tasks.filter((task) => !child.tasks.includes(task));
  if (missing.length === 0) return undefined;
  return (
    `it declares the isolated tasks ${listed(child.tasks)}, and this process declares ${listed(missing)} too. Name the root module that ` +
    'this process runs in isolation.app, and start this process again after a new build.'
  );
}

function listed(tasks: readonly string[]): string {
  return tasks.length === 0 ? 'none' : tasks.map((task) => `"${task}"`).join(', ');
}
