/** What is stored about the places of a queue. */
export interface StoredPlaces {
  /** The text of the {@link PlaceBook}; empty for none. */
  readonly book: string;
  /** How many runs of the queue there may be at once, in all processes; `undefined` for any number. */
  readonly limit: number | undefined;
}

/** Where the places of queues are stored, for all processes. */
export interface PlaceStore {
  /** The time of the store's clock. */
  now(): number;
  /** Rejects when the store cannot be reached. The same holds for {@link replace}. */
  read(queue: string): Promise<StoredPlaces>;
  /**
   * Stores the book `next` if the stored one is `before`, in one step.
   *
   * @returns what is stored now: `next`, or what another process has stored meanwhile
   */
  replace(queue: string, before: string, next: string): Promise<StoredPlaces>;
  /** Tells processes that they were given places of a queue. The message may be lost. */
  announce(queue: string, owners: readonly string[]): void;
  /**
   * Calls `listener` when this process was perhaps given places: of one queue, or of any. It is called once, before the first wait.
   */
  listen(owner: string, listener: (queue?: string) => void): void;
}
