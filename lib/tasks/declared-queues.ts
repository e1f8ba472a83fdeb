import { DeclaredInCode } from '../declared-in-code.js';
import { isQueueName } from '../engine/task-id.js';

/** The names of the queues that `@Task()`, `@TaskProcessor()` and `defineTask()` name. */
export const DECLARED_QUEUES = new DeclaredInCode<string, string>();

/** @param queue the option `queue` of a task. A wrong one is an error where the task is explored, and is left out here */
export function declareQueue(queue: string | undefined): void {
  if (typeof queue === 'string' && isQueueName(queue)) DECLARED_QUEUES.add(queue, queue);
}
