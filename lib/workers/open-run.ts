import type { Json } from '../engine/json.js';
import type { Delivery } from '../engine/ports/worker-port.js';
import type { TaskDefinition } from '../tasks/task-definition.js';
import { ConfigurationError } from '../errors.js';
import { adapterOf } from '../transactions/transaction-adapter.js';
import { attemptsOf } from './error-to-outcome.js';
import type { RunLog } from './run-log.js';
import type { TaskRun } from './task-context.js';
import type { TimeLimit } from './time-limit.js';

export interface RunParts {
  readonly limit: TimeLimit;
  readonly log: RunLog;
  readonly progress: (value: unknown) => Promise<void>;
  /** A result in its JSON form. @throws NotSerializableError, PayloadTooLargeError */
  readonly checkedResult: (value: unknown) => Json;
}

/** One attempt of a task, as `TaskContext` shows it. */
export function openRun(
  delivery: Delivery,
  definition: TaskDefinition,
  { limit, log, progress, checkedResult }: RunParts,
): TaskRun {
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
    isOver: () => limit.isOver,
    methodHasEnded: () => limit.methodHasEnded(),
    completeIn: async (transaction, result) => {
      const { completion } = delivery;
      if (!completion) throw noCompletion();
      await completion.completeIn(adapterOf(transaction), result === undefined ? undefined : checkedResult(result));
    },
  };
}

function noCompletion(): ConfigurationError {
  return new ConfigurationError(
    'completeIn() needs tasks in the PostgreSQL database of the transaction. This application has its tasks elsewhere.',
  );
}
