import type { Delivery } from '../engine/ports/worker-port.js';

/** Writes the lines that a run adds to the log of its task, and knows which of them are not stored yet. */
export class RunLog {
  /** Made with the first line, because most runs have none. */
  private writing: Set<Promise<void>> | undefined;
  private isClosed = false;

  constructor(private readonly store: Delivery['log']) {}

  /** Resolves once the line is stored. */
  readonly write: Delivery['log'] = async (text, level) => {
    if (this.isClosed) return;
    const stored = this.store(text, level);
    const writing = (this.writing ??= new Set());
    writing.add(stored);
    try {
      await stored;
    } finally {
      writing.delete(stored);
    }
  };

  /** Whether no line waits to be stored. */
  get isIdle(): boolean {
    return !this.writing || this.writing.size === 0;
  }

  /** Waits for the lines that the method did not wait for: they are stored before the end of the task is. */
  async flush(): Promise<void> {
    if (this.writing) await Promise.allSettled(this.writing);
  }

  /** Drops all further lines: the attempt has ended, whatever its method still does. */
  close(): void {
    this.isClosed = true;
  }
}
