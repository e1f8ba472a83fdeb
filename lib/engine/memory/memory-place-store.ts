import { readBook } from '../places/place-book.js';
import type { PlaceStore, StoredPlaces } from '../places/place-store.js';

/** The places of all queues of a place, for all its applications. */
export interface PlaceTexts {
  /** By queue. */
  readonly books: Map<string, string>;
  readonly listeners: Set<(queue: string, owners: readonly string[]) => void>;
}

export interface MemoryPlaceStoreDeps {
  /** Throws once the application is closed. */
  readonly open: () => PlaceTexts;
  readonly limitOf: (queue: string) => number | undefined;
  readonly now: () => number;
}

/** Keeps the places of queues beside the tasks. */
export class MemoryPlaceStore implements PlaceStore {
  private stopListening: (() => void) | undefined;

  constructor(private readonly deps: MemoryPlaceStoreDeps) {}

  now(): number {
    return this.deps.now();
  }

  async read(queue: string): Promise<StoredPlaces> {
    return { book: this.deps.open().books.get(queue) ?? '', limit: this.deps.limitOf(queue) };
  }

  async replace(queue: string, before: string, next: string): Promise<StoredPlaces> {
    const { books } = this.deps.open();
    if ((books.get(queue) ?? '') === before) books.set(queue, next);
    return this.read(queue);
  }

  announce(queue: string, owners: readonly string[]): void {
    for (const tell of this.deps.open().listeners) tell(queue, owners);
  }

  listen(owner: string, listener: (queue?: string) => void): void {
    const { listeners } = this.deps.open();
    const tell = (queue: string, owners: readonly string[]) => {
      if (owners.includes(owner)) listener(queue);
    };
    listeners.add(tell);
    this.stopListening = () => listeners.delete(tell);
  }

  close(): void {
    this.stopListening?.();
  }
}

/** How many runs of a queue have places. */
export function countTaken({ books }: PlaceTexts, queue: string): number {
  return readBook(books.get(queue)).taken.size;
}
