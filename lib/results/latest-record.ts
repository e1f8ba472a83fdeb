import type { TaskRecord } from '../engine/engine.js';
import type { Observer } from './watched-task.js';

/** Holds the newest record until its reader takes it: a slow reader skips what is outdated and never misses the end. */
export class Inbox implements Observer {
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
