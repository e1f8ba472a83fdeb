/**
 * A list whose items are computed each time when it is read. Nest keeps the list of a dynamic module when it meets the
 * module, and reads it after it has met all modules, also those that `imports` gives as promises.
 */
export function listReadLate<T>(items: () => readonly T[]): T[] {
  const list = [...items()];
  return Object.defineProperty(list, Symbol.iterator, { value: () => items()[Symbol.iterator]() });
}
