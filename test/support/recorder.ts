import { EventEmitter, once } from 'node:events';

/** Records what tasks did, and lets a test wait for it. */
export class Recorder<T> {
  readonly entries: T[] = [];
  private readonly events = new EventEmitter().setMaxListeners(0);

  record(entry: T): void {
    this.entries.push(entry);
    this.events.emit('entry');
  }

  /** Resolves with all entries once the condition is true for them. */
  async until(condition: (entries: readonly T[]) => boolean): Promise<readonly T[]> {
    while (!condition(this.entries)) await once(this.events, 'entry');
    return this.entries;
  }
}
