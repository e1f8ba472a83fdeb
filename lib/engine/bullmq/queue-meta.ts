import type { Queue } from 'bullmq';
import type { TextPage } from '../ports/schedule-store.js';
import type { Availability } from './availability.js';
import type { QueueMetadata } from './driver.js';
import { Gatherer } from './gatherer.js';

/** BullMQ stores metadata of its own in the same place. */
const PREFIX = 'task-queue:';
/** The texts of one command. Two commands that write never run at once, so the later caller writes last. */
const READS = { size: 1_000, atOnce: 4 };
const WRITES = { size: 500, atOnce: 1 };

export interface QueueMetaDeps {
  readonly metadata: Pick<QueueMetadata, 'scan'>;
  readonly availability: Availability;
  readonly queueOf: (name: string) => Queue | Promise<Queue>;
}

/**
 * Texts under keys in the metadata of a BullMQ queue: fields of a hash on Redis, rows of a table on PostgreSQL. BullMQ
 * itself uses this metadata for the settings of a queue. The calls of one turn of the event loop share a command.
 */
export class QueueMeta {
  private readonly reads: Gatherer<string, string | undefined>;
  private readonly writes: Gatherer<readonly [key: string, text: string], void>;
  private readonly deletes: Gatherer<string, void>;

  /** The name of no task's queue. */
  private readonly queueName: string;

  constructor(
    /** What the texts are about; it names the calls in errors. */
    private readonly about: string,
    private readonly deps: QueueMetaDeps,
  ) {
    this.queueName = `_${about}`;
    this.reads = new Gatherer(async (keys) => {
      const texts = await this.withQueue((queue) => queue.getBackend().getQueueMetaFields(keys.map(fieldOf)));
      return texts.map((text) => text ?? undefined);
    }, READS);
    this.writes = new Gatherer(async (entries) => {
      // In the same order in every process: statements of PostgreSQL that lock the same rows then never deadlock.
      const fields = new Map(entries.map(([key, text]) => [fieldOf(key), text]));
      const sorted = [...fields].toSorted(([a], [b]) => (a < b ? -1 : 1));
      await this.withQueue((queue) => queue.getBackend().setQueueMeta(Object.fromEntries(sorted)));
      return entries.map(() => undefined);
    }, WRITES);
    this.deletes = new Gatherer(async (keys) => {
      const sorted = [...new Set(keys)].toSorted();
      await this.withQueue((queue) => queue.getBackend().removeQueueMetaFields(sorted.map(fieldOf)));
      return keys.map(() => undefined);
    }, WRITES);
  }

  get(keys: readonly string[]): Promise<(string | undefined)[]> {
    return Promise.all(keys.map((key) => this.reads.call(key)));
  }

  async set(texts: Readonly<Record<string, string>>): Promise<void> {
    await Promise.all(Object.entries(texts).map((entry) => this.writes.call(entry)));
  }

  async delete(keys: readonly string[]): Promise<void> {
    await Promise.all(keys.map((key) => this.deletes.call(key)));
  }

  async scan(cursor: string | undefined): Promise<TextPage> {
    const { fields, next } = await this.withQueue(() => this.deps.metadata.scan(this.queueName, cursor));
    const texts = new Map<string, string>();
    for (const [field, text] of fields) if (field.startsWith(PREFIX)) texts.set(field.slice(PREFIX.length), text);
    return { texts, next };
  }

  /** Runs a call with the queue, again and again until its time is over. */
  withQueue<T>(call: (queue: Queue) => Promise<T>): Promise<T> {
    return this.deps.availability.withRetries(this.about, async () => call(await this.deps.queueOf(this.queueName)));
  }
}

function fieldOf(key: string): string {
  return PREFIX + key;
}
