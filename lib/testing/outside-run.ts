import { Interruption } from '../engine/interruption.js';
import { newTaskId } from '../engine/task-id.js';
import type { Headers } from '../engine/task.js';
import type { TaskRun } from '../workers/task-context.js';

/** What `TaskContext` shows in a test that calls code outside of a queue. Every property has a default. */
export interface OutsideRun {
  readonly id?: string;
  /** Default: `test`. */
  readonly name?: string;
  /** Default: `default`. */
  readonly queue?: string;
  /** Default: 1. */
  readonly attempt?: number;
  /** Default: the attempt. */
  readonly maxAttempts?: number;
  /** Default: now. */
  readonly enqueuedAt?: Date;
  readonly headers?: Headers;
  readonly deadline?: Date;
  /** The signal is aborted when this one is, with its reason. */
  readonly signal?: AbortSignal;
  /** Called with each progress report. */
  readonly onProgress?: (value: unknown) => void;
  /** Called with each line of the log. */
  readonly onLog?: (line: string) => void;
}

export function outsideRun({
  queue = 'default',
  name = 'test',
  attempt = 1,
  headers = {},
  ...given
}: OutsideRun): TaskRun {
  const interruption = new Interruption();
  const { signal, onProgress, onLog } = given;
  if (signal?.aborted) interruption.request(signal.reason);
  signal?.addEventListener('abort', () => interruption.request(signal.reason), { once: true });
  return {
    id: given.id ?? newTaskId(queue),
    name,
    queue,
    attempt,
    maxAttempts: given.maxAttempts ?? attempt,
    enqueuedAt: (given.enqueuedAt ?? new Date()).getTime(),
    headers,
    interruption,
    deadline: given.deadline,
    progress: async (value) => onProgress?.(value),
    log: async (line) => onLog?.(line),
    completeIn: async () => undefined,
  };
}
