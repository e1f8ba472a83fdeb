/**
 * What decorators and functions declare while the code is loaded. Like the metadata of decorators it belongs to the code and not to
 * one application: each application provides its own objects for it, also for what code that is loaded later declares.
 */
export class DeclaredInCode<K, V> implements Iterable<V> {
  private readonly values = new Map<K, V>();
  private readonly listeners = new Set<(value: V) => void>();

  [Symbol.iterator](): Iterator<V> {
    return this.values.values();
  }

  /** Adds a value and calls the listeners. A second declaration under the same key changes nothing. @returns the value of the key */
  add(key: K, value: V): V {
    const known = this.values.get(key);
    if (known !== undefined) return known;
    this.values.set(key, value);
    for (const listener of this.listeners) listener(value);
    return value;
  }

  /**
   * Calls the listener for each value that is added from now on.
   *
   * @returns removes the listener
   */
  follow(listener: (value: V) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}
