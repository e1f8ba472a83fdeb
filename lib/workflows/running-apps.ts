import { ConfigurationError } from '../errors.js';
import type { TaskHandle } from '../results/task-handle.js';
import type { CallPlace } from '../transactions/call-stores.js';
import type { Plan } from './plan.js';

/** Stores workflows. Each application has one; its producers and their signatures know it. */
export interface StartsWorkflows {
  /**
   * Stores a workflow.
   *
   * @param input the argument that the tasks which start first still lack, if any. It is not checked yet
   * @param place where the workflow is stored; default: in the transaction that is open now, if the application tells it
   * @throws ConfigurationError, NotSerializableError, PayloadTooLargeError, InvalidArgumentsError,
   * EngineUnavailableError
   */
  start(plan: Plan, input?: readonly unknown[], place?: CallPlace): Promise<TaskHandle>;
}

/** The workflow starters of the applications that run in this process, each only as long as its application runs. */
const RUNNING_APPS = new Set<StartsWorkflows>();

/** Registers an application that starts. @returns removes the application; to be called when it ends */
export function registerRunningApp(starter: StartsWorkflows): () => void {
  RUNNING_APPS.add(starter);
  return () => RUNNING_APPS.delete(starter);
}

/**
 * The workflow starter of the only application that runs in this process. A workflow without a task (a group of an
 * empty list) goes there, because it has no producer from which it could know its application.
 *
 * @throws ConfigurationError when not exactly one application runs
 */
export function onlyRunningApp(): StartsWorkflows {
  const [starter, another] = RUNNING_APPS;
  if (starter && !another) return starter;
  throw new ConfigurationError(
    starter
      ? 'A workflow without a task does not know which of the applications in this process it belongs to. Enqueue it with taskQueue.enqueue(signature).'
      : 'A workflow without a task is enqueued while no application runs in this process. Start the application first.',
  );
}
