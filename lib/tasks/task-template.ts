import type { CallOptions, Headers, Uniqueness } from '../engine/task.js';
import type { Json } from '../engine/json.js';

/**
 * A call that another process can enqueue later and repeatedly, also a process that does not declare the task. It is
 * checked to be JSON, and only its id and its times are missing.
 */
export interface TaskTemplate {
  readonly name: string;
  readonly queue: string;
  readonly args: readonly Json[];
  readonly headers: Headers;
  readonly options: Omit<CallOptions, 'startAt' | 'expiresAt'>;
  /** Milliseconds from the enqueue to the time after which the task is no longer started. */
  readonly expires?: number;
  readonly unique?: Uniqueness;
}
