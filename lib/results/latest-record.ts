import type { TaskRecord } from '../engine/task.js';
import type { Observer } from './watched-task.js';

/** Keeps the newest record until its reader takes it: a slow reader skips older records and never misses the last. */
export class LatestRecord implements Observer {
  readonly wantsChanges = true;
  private waiting: TaskRecord | undefined;
  private failure: { readonly error: unknown } | undefined;
  private wake: (() => void) | undefined;

  next(record: TaskRecord): void {
    this.waiting = record;
    this.wake?.();
  }

  fail(error: unknown): void {
    this.failure ??= { error };
    this.wake?.();
  }

  /**
   * Waits for a record that was not taken yet.
   *
   * @throws the error given to {@link fail}
   */
  async take(): Promise<TaskRecord> {
    while (!this.waiting && !this.failure) {
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    if (this.failure) throw this.failure.error;
    const record = this.waiting as TaskRecord;
    this.waiting = undefined;
    return record;
  }
}
