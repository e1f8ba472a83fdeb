import type { Json } from '../engine/json.js';

/** Milliseconds between two stored reports. People see no faster changes, and each stored report is a write. */
const INTERVAL = 50;

/**
 * Stores the progress of a task, at most 20 times a second. A loop may report each of its 50,000 rows; the reporter
 * stores the newest report each time, and the last report always.
 */
export class ProgressReporter {
  private next: { readonly value: Json } | undefined;
  private timer: NodeJS.Timeout | undefined;
  private storing: Promise<void> | undefined;
  private lastAt = -Infinity;
  private isClosed = false;

  constructor(
    private readonly store: (value: Json) => Promise<void>,
    private readonly interval = INTERVAL,
  ) {}

  /** Resolves when the report is stored, or at once when a later report may replace it before that. */
  async report(value: Json): Promise<void> {
    if (this.isClosed) return;
    this.next = { value };
    const wait = this.lastAt + this.interval - performance.now();
    if (wait <= 0) return this.flush();
    this.timer ??= setTimeout(() => {
      // `storing` keeps the error, and the `flush` at the end of the run throws it to the executor.
      this.flush().catch(() => undefined);
    }, wait);
  }

  /** Whether the task has never reported progress. */
  get isUnused(): boolean {
    return !this.next && !this.storing;
  }

  /** Stores the last report. Await it before the end of the task is stored, or the report would come after the end. */
  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { next } = this;
    if (next) {
      this.next = undefined;
      this.lastAt = performance.now();
      const before = this.storing?.catch(() => undefined) ?? Promise.resolve();
      this.storing = before.then(() => this.store(next.value));
    }
    await this.storing;
  }

  /** Drops all further reports: the attempt has ended, whatever its method still does. */
  close(): void {
    this.isClosed = true;
    this.next = undefined;
    clearTimeout(this.timer);
  }
}
