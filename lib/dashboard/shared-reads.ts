interface SharedRead {
  readonly value: Promise<unknown>;
  readonly until: number;
}

/** The most answers that are kept. */
const MOST = 500;

/**
 * Lets equal requests of all open pages share one read of the store: those that come at the same time, and those that come within
 * the time for which an answer counts as fresh.
 */
export class SharedReads {
  private readonly reads = new Map<string, SharedRead>();

  constructor(
    private readonly freshFor = 1_000,
    private readonly now: () => number = () => performance.now(),
  ) {}

  get<T>(key: string, read: () => Promise<T>): Promise<T> {
    const known = this.reads.get(key);
    if (known && known.until > this.now()) return known.value as Promise<T>;
    this.reads.delete(key);
    if (this.reads.size >= MOST)
      for (const oldest of [...this.reads.keys()].slice(0, MOST / 2)) this.reads.delete(oldest);
    const value = read();
    this.reads.set(key, { value, until: this.now() + this.freshFor });
    // A failure is not kept: the next request tries again.
    value.catch(() => this.reads.get(key)?.value === value && this.reads.delete(key));
    return value;
  }

  /** After a change, what was read before is old. */
  clear(): void {
    this.reads.clear();
  }
}
