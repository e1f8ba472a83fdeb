import { randomBytes } from 'node:crypto';
import type { Queue } from 'bullmq';
import type { Following, ScheduleStore } from '../ports/schedule-store.js';
import type { Availability } from './availability.js';
import type { MessageBus } from './message-bus.js';

/** Not a name that a task's queue can have. No task ever waits in it: it is there for its metadata. */
const QUEUE = '_schedules';
/** The channel on which changes are announced. */
const CHANNEL = 'schedules';
/** BullMQ has metadata of its own there. */
const PREFIX = 'task-queue:';
/** The job whose data is the secret. */
const SECRET = 'secret';

/** Keeps texts in the metadata of a BullMQ queue: fields of a hash on Redis, rows of a table on PostgreSQL. */
export class QueueMetaScheduleStore implements ScheduleStore {
  constructor(
    private readonly queueOf: (name: string) => Promise<Queue>,
    private readonly availability: Availability,
    private readonly bus: MessageBus,
  ) {}

  all(): Promise<ReadonlyMap<string, string>> {
    return this.ask(async (queue) => {
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
    const texts = await this.ask((queue) => queue.getBackend().getQueueMetaFields(keys.map(fieldOf)));
    return texts.map((text) => text ?? undefined);
  }

  async set(texts: Readonly<Record<string, string>>): Promise<void> {
    const fields = Object.entries(texts).map(([key, text]) => [fieldOf(key), text] as const);
    if (fields.length === 0) return;
    await this.ask((queue) => queue.getBackend().setQueueMeta(Object.fromEntries(fields)));
  }

  async delete(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    await this.ask((queue) => queue.getBackend().removeQueueMetaFields(keys.map(fieldOf)));
  }

  /** Metadata knows only overwriting. Adding a job under an id that there is already leaves that one as it is. */
  async secret(): Promise<string> {
    const secret = await this.ask(async (queue) => {
      await queue.add(SECRET, { secret: randomBytes(16).toString('base64url') }, { jobId: SECRET });
      return ((await queue.getJob(SECRET))?.data as { secret?: string } | undefined)?.secret;
    });
    // Whoever empties the queue at this very moment: again.
    return secret ?? this.secret();
  }

  async announce(): Promise<void> {
    await this.ask(() => this.bus.publish(CHANNEL, ''));
  }

  follow(listener: () => Promise<void>): Following {
    let stopped = false;
    let unsubscribe: (() => Promise<void>) | undefined;
    const started = this.availability.whenReachable(async () => {
      if (stopped) return;
      unsubscribe ??= await this.bus.subscribe(CHANNEL, () => {
        if (!stopped) void listener();
      });
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

  private ask<T>(question: (queue: Queue) => Promise<T>): Promise<T> {
    return this.availability.withRetries('schedules', async () => question(await this.queueOf(QUEUE)));
  }
}

function fieldOf(key: string): string {
  return PREFIX + key;
}
