import { randomBytes } from 'node:crypto';
import type { PlacePort, RunPlace } from '../ports/place-port.js';
import { QueuePlaces } from './queue-places.js';
import type { PlaceStore } from './place-store.js';

export interface SharedPlacesDeps {
  readonly store: PlaceStore;
  /** Milliseconds after which the places of a process that died are free. */
  readonly lease: number;
  /** Called with an error of the store. The places are asked for again. */
  readonly onError: (error: Error) => void;
}

/** The places of all queues that this process has and wants. */
export class SharedPlaces implements PlacePort {
  private readonly queues = new Map<string, QueuePlaces>();
  private readonly owner = randomBytes(6).toString('base64url');
  private isListening = false;
  private isClosed = false;

  constructor(private readonly deps: SharedPlacesDeps) {}

  take(queue: string): Promise<RunPlace> {
    if (this.isClosed) return new Promise(() => undefined);
    let places = this.queues.get(queue);
    if (!places) {
      const { store, lease, onError } = this.deps;
      places = new QueuePlaces(queue, { store, lease, onError, owner: this.owner, onWait: () => this.listen() });
      this.queues.set(queue, places);
    }
    return places.take();
  }

  /** Resolves once it is stored which places this process has given back. */
  async close(): Promise<void> {
    this.isClosed = true;
    await Promise.all(Array.from(this.queues.values(), (places) => places.close()));
  }

  private listen(): void {
    if (this.isListening) return;
    this.isListening = true;
    this.deps.store.listen(this.owner, (queue) => {
      if (this.isClosed) return;
      if (queue !== undefined) return this.queues.get(queue)?.update();
      for (const places of this.queues.values()) places.update();
    });
  }
}
