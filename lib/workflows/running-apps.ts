import { ConfigurationError } from '../errors.js';
import type { TaskHandle } from '../results/task-handle.js';
import type { Plan } from './plan.js';

/** Stores workflows; every producer's application has one. */
export interface StartsWorkflows {
  /** @param input the first argument of whatever starts first, if it lacks one; not checked yet */
  start(plan: Plan, input?: readonly unknown[]): Promise<TaskHandle>;
}

/** The applications that run in this process, and only as long as they run. */
const RUNNING = new Set<StartsWorkflows>();

/** To be called when an application starts; what it gives is to be called when it ends. */
export function announceStarter(starter: StartsWorkflows): () => void {
  RUNNING.add(starter);
  return () => RUNNING.delete(starter);
}

/**
 * Where a workflow goes that has no task in it, for a list that happened to be empty: every other knows the application
 * its producers belong to.
 *
 * @throws ConfigurationError when there is not exactly one application
 */
export function runningStarter(): StartsWorkflows {
  const [starter, another] = RUNNING;
  if (starter && !another) return starter;
  throw new ConfigurationError(
    starter
      ? 'A workflow without a task does not know which of the applications in this process it belongs to. Enqueue it with taskQueue.enqueue(signature).'
      : 'A workflow without a task is enqueued while no application runs in this process. Start the application first.',
  );
}
