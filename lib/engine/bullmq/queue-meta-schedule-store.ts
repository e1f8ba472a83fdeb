import { randomBytes } from 'node:crypto';
import type { Queue } from 'bullmq';
import type { Following, ScheduleStore } from '../ports/schedule-store.js';
import type { Availability } from './availability.js';
import type { CheckedBus } from './checked-bus.js';

/** The name of no task's queue. No task ever waits in this queue; only its metadata and one job are used. */
const QUEUE = '_schedules';
/** The channel on which changes are announced. */
const CHANNEL = 'schedules';
/** The whole content of a message: a process that receives it reads the schedules again. */
const ANNOUNCEMENT = '';
/** BullMQ stores metadata of its own in the same place. */
const PREFIX = 'task-queue:';
/** The name and the id of the job whose data is the secret. */
const SECRET = 'secret';

/**
 * Stores texts in the metadata of a BullMQ queue: fields of a hash on Redis, rows of a table on PostgreSQL. BullMQ
 * itself uses this metadata for the settings of a queue.
 */
export class QueueMetaScheduleStore implements ScheduleStore {
  constructor(
    private readonly queueOf: (name: string) => Promise<Queue>,
    private readonly availability: Availability,
    private readonly bus: CheckedBus,
  ) {}

  all(): Promise<ReadonlyMap<string, string>> {
    return this.withQueue(async (queue) => {
      const fields = Object.entries(await queue.getBackend().getQueueMeta());
      return new Map(
        fields.flatMap(([field, text]) =>
          field.startsWith(PREFIX) ? [[field.slice(PREFIX.length), text] as const] : [],
        ),
      );
    });
  }

  async get(keys: readonly string[]): Promise<(string | undefined)[]> {
    if (keys.length === 0) return [];
    const texts = await this.withQueue((queue) => queue.getBackend().getQueueMetaFields(keys.map(fieldOf)));
    return texts.map((text) => text ?? undefined);
  }

  async set(texts: Readonly<Record<string, string>>): Promise<void> {
    const fields = Object.entries(texts).map(([key, text]) => [fieldOf(key), text] as const);
    if (fields.length === 0) return;
    await this.withQueue((queue) => queue.getBackend().setQueueMeta(Object.fromEntries(fields)));
  }

  async delete(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    await this.withQueue((queue) => queue.getBackend().removeQueueMetaFields(keys.map(fieldOf)));
  }

  /**
   * Stores the secret in a job. A field of the metadata can only be overwritten, but adding a job under an id that
   * exists leaves the first job as it is.
   */
  async secret(): Promise<string> {
    const secret = await this.withQueue(async (queue) => {
      await queue.add(SECRET, { secret: randomBytes(16).toString('base64url') }, { jobId: SECRET });
      return ((await queue.getJob(SECRET))?.data as { secret?: string } | undefined)?.secret;
    });
    // The queue was emptied between the two calls: try again.
    return secret ?? this.secret();
  }

  async announce(): Promise<void> {
    await this.withQueue(() => this.bus.publish(CHANNEL, ANNOUNCEMENT));
  }

  follow(listener: () => Promise<void>): Following {
    let stopped = false;
    let unsubscribe: (() => Promise<void>) | undefined;
    const started = this.availability.whenReachable(async () => {
      if (stopped) return;
      unsubscribe ??= await this.bus.subscribe(CHANNEL, parseAnnouncement, () => (stopped ? undefined : listener()));
      await listener();
    });
    return {
      started,
      stop: () => {
        stopped = true;
        void unsubscribe?.();
      },
    };
  }

  private withQueue<T>(call: (queue: Queue) => Promise<T>): Promise<T> {
    return this.availability.withRetries('schedules', async () => call(await this.queueOf(QUEUE)));
  }
}

function fieldOf(key: string): string {
  return PREFIX + key;
}

function parseAnnouncement(text: string): true | undefined {
  return text === ANNOUNCEMENT ? true : undefined;
}
