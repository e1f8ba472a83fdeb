import { EventEmitter, once } from 'node:events';

/** Notes what tasks did, and lets a test wait for it. */
export class Witness<T> {
  readonly notes: T[] = [];
  private readonly events = new EventEmitter().setMaxListeners(0);

  note(note: T): void {
    this.notes.push(note);
    this.events.emit('note');
  }

  /** Resolves with all notes, once the condition holds for them. */
  async until(condition: (notes: readonly T[]) => boolean): Promise<readonly T[]> {
    while (!condition(this.notes)) await once(this.events, 'note');
    return this.notes;
  }
}
