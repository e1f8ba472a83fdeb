/** A place for one run. It is taken until it is given back, or until the process that took it dies. */
export interface RunPlace {
  /** A second call does nothing. */
  giveBack(): void;
}

/**
 * Places for runs: as many for each queue as its global concurrency, for all processes together. Only queues whose global
 * concurrency counts runs have them; in the others, the engine counts tasks when a worker takes them.
 */
export interface PlacePort {
  /**
   * Takes a place. The callers of all processes get places in the order in which they ask. A queue without a limit has a place for
   * every caller.
   *
   * The promise never rejects: it waits while the store cannot be reached, and for ever once the engine is closed. The places of a
   * process that dies are free after `abandonedAfter`.
   */
  take(queue: string): Promise<RunPlace>;
}
