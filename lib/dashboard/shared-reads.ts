interface SharedRead {
  readonly value: Promise<unknown>;
  /** When the store was asked. */
  readonly begun: number;
  isAnswered: boolean;
  /** The last read that was answered, until this one is. */
  before: SharedRead | undefined;
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
    return this.read(key, read).value as Promise<T>;
  }

  /**
   * An answer that may be a little old, for what is soon read again: it comes at once, while the store is asked for the next.
   *
   * @param age milliseconds since the store was asked for it, at most. When there is none of that age, this is {@link get}
   */
  recent<T>(key: string, read: () => Promise<T>, age: number): Promise<T> {
    const current = this.read(key, read);
    const { before } = current;
    const isRecent = before && before.begun + age > this.now();
    return (isRecent ? before.value : current.value) as Promise<T>;
  }

  /** After a change, what was read before is old. */
  clear(): void {
    this.reads.clear();
  }

  private read(key: string, read: () => Promise<unknown>): SharedRead {
    const known = this.reads.get(key);
    if (known && known.begun + this.freshFor > this.now()) return known;
    this.reads.delete(key);
    if (this.reads.size >= MOST)
      for (const oldest of [...this.reads.keys()].slice(0, MOST / 2)) this.reads.delete(oldest);
    const before = known?.isAnswered ? known : known?.before;
    const begun: SharedRead = { value: read(), begun: this.now(), isAnswered: false, before };
    this.reads.set(key, begun);
    begun.value.then(
      () => {
        begun.isAnswered = true;
        begun.before = undefined;
      },
      // A failure is not kept: the next request tries again.
      () => this.reads.get(key) === begun && this.reads.delete(key),
    );
    return begun;
  }
}
