/**
 * Returns a list whose items are computed each time when it is read. Nest keeps the list of a dynamic module when it meets the
 * module, and reads it after it has met all modules, also those that `imports` gives as promises.
 */
export function listReadLate<T>(items: () => readonly T[]): T[] {
  return new ListReadLate(items);
}

/**
 * The iterator belongs to a class because a single array with an iterator of its own takes V8's fast path for destructuring
 * and spreading from all arrays of the process.
 */
class ListReadLate<T> extends Array<T> {
  readonly #items: () => readonly T[];

  /** What `map` and its like return is a plain array. */
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  constructor(items: () => readonly T[]) {
    super();
    this.push(...items());
    this.#items = items;
  }

  override [Symbol.iterator](): ArrayIterator<T> {
    return this.#items()[Symbol.iterator]();
  }
}
