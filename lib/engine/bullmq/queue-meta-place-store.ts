import type { Queue } from 'bullmq';
import type { PlaceStore, StoredPlaces } from '../places/place-store.js';
import type { Availability } from './availability.js';
import type { CheckedBus, Fields } from './checked-bus.js';
import type { Driver } from './driver.js';
import { BOOK, PLACE_FIELDS, toStoredPlaces } from './stored-places.js';

/** The channel on which processes hear that they were given places. */
const CHANNEL = 'places';
const WHAT = 'take a place';

export interface QueueMetaPlaceStoreDeps {
  readonly driver: Pick<Driver, 'metadata' | 'clock'>;
  readonly availability: Availability;
  readonly bus: CheckedBus;
  readonly readyQueue: (name: string) => Queue | Promise<Queue>;
}

/** Stores the places of a queue in its metadata, where its settings are. */
export class QueueMetaPlaceStore implements PlaceStore {
  constructor(private readonly deps: QueueMetaPlaceStoreDeps) {}

  now(): number {
    return this.deps.driver.clock.now();
  }

  read(queue: string): Promise<StoredPlaces> {
    return this.deps.availability.withRetries(WHAT, async () => {
      const backend = (await this.deps.readyQueue(queue)).getBackend();
      return toStoredPlaces(await backend.getQueueMetaFields([...PLACE_FIELDS]));
    });
  }

  replace(queue: string, before: string, next: string): Promise<StoredPlaces> {
    return this.deps.availability.withRetries(WHAT, async () =>
      toStoredPlaces(await this.deps.driver.metadata.replace(queue, { field: BOOK, before, next }, PLACE_FIELDS)),
    );
  }

  announce(queue: string, owners: readonly string[]): void {
    // A process that hears of nothing asks again by itself.
    this.deps.availability
      .withRetries(WHAT, () => this.deps.bus.publish(CHANNEL, { queue, owners }))
      .catch(() => undefined);
  }

  listen(owner: string, listener: (queue?: string) => void): void {
    void this.deps.availability.whenReachable(async () => {
      await this.deps.bus.subscribe(CHANNEL, {
        read: readAnnouncement,
        receive: ({ queue, owners }) => (owners.includes(owner) ? listener(queue) : undefined),
        receiveNewer: () => listener(),
      });
      listener();
    });
  }
}

function readAnnouncement({ queue, owners }: Fields) {
  if (typeof queue !== 'string' || !Array.isArray(owners)) return undefined;
  return owners.every((owner): owner is string => typeof owner === 'string') ? { queue, owners } : undefined;
}
