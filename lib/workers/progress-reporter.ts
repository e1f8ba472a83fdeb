import type { Json } from '../engine/json.js';

/** People see no more than this many milliseconds apart, and each report is a write. */
const INTERVAL = 50;

/**
 * Stores how far a task is, at most 20 times a second: a loop may report each of its 50,000 rows, and what is stored is
 * where it is by then. The last report is always stored.
 */
export class ProgressReporter {
  private next: { readonly value: Json } | undefined;
  private timer: NodeJS.Timeout | undefined;
  private storing: Promise<void> | undefined;
  private lastAt = 0;

  constructor(private readonly store: (value: Json) => Promise<void>) {}

  /** Resolves when it is stored, or at once when it will be merged with what follows. */
  async report(value: Json): Promise<void> {
    this.next = { value };
    const wait = this.lastAt + INTERVAL - Date.now();
    if (wait <= 0) return this.flush();
    this.timer ??= setTimeout(() => {
      // A write that fails here fails again at the end, where somebody hears of it.
      this.flush().catch(() => undefined);
    }, wait);
  }

  /** Whether nothing was ever reported. */
  get isUnused(): boolean {
    return !this.next && !this.storing;
  }

  /** Stores what is left. To be awaited before the task's end is stored, or its last report would come after it. */
  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { next } = this;
    if (next) {
      this.next = undefined;
      this.lastAt = Date.now();
      const before = this.storing?.catch(() => undefined) ?? Promise.resolve();
      this.storing = before.then(() => this.store(next.value));
    }
    await this.storing;
  }
}
