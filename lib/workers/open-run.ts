import type { Delivery } from '../engine/ports/worker-port.js';
import type { TaskDefinition } from '../tasks/task-definition.js';
import { attemptsOf } from './error-to-outcome.js';
import type { RunLog } from './run-log.js';
import type { TaskRun } from './task-context.js';
import type { TimeLimit } from './time-limit.js';

export interface RunParts {
  readonly limit: TimeLimit;
  readonly log: RunLog;
  readonly progress: (value: unknown) => Promise<void>;
}

/** One attempt of a task, as `TaskContext` shows it. */
export function openRun(delivery: Delivery, definition: TaskDefinition, { limit, log, progress }: RunParts): TaskRun {
  const { id, name, queue, attempt, enqueuedAt, headers } = delivery;
  return {
    id,
    name,
    queue,
    attempt,
    enqueuedAt,
    headers,
    log: log.write,
    maxAttempts: attemptsOf(delivery, definition),
    interruption: limit.interruption,
    deadline: limit.deadline,
    progress,
  };
}
