import type { CallOptions, Headers, Uniqueness } from '../engine/task.js';
import type { Json } from '../engine/json.js';

/**
 * A call that is enqueued later, perhaps again and again, perhaps by a process that does not know its task: checked to
 * be JSON and complete but for its id and its time.
 */
export interface TaskTemplate {
  readonly name: string;
  readonly queue: string;
  readonly args: readonly Json[];
  readonly headers: Headers;
  readonly options: Omit<CallOptions, 'startAt' | 'expiresAt'>;
  /** Milliseconds after it was enqueued. */
  readonly expires?: number;
  readonly unique?: Uniqueness;
}
