import { randomBytes } from 'node:crypto';
import type { Following, ScheduleStore, TextPage } from '../ports/schedule-store.js';
import type { Availability } from './availability.js';
import { writeMessage, type CheckedBus, type Fields } from './checked-bus.js';
import { Gatherer } from './gatherer.js';
import type { QueueMeta } from './queue-meta.js';

/** The channel on which changes are announced. A process of 0.1.0 reads all schedules again after any message. */
const CHANNEL = 'schedules';
/** The name and the id of the job whose data is the secret. */
const SECRET = 'secret';
/** The keys of one turn of the event loop share as few messages as hold them. */
const ANNOUNCEMENTS = { size: 10_000, atOnce: 1 };

/** Stores the texts of schedules in the metadata of a queue, and the secret in its only job. No task waits in it. */
export class QueueMetaScheduleStore implements ScheduleStore {
  private readonly announcements: Gatherer<string, void>;

  constructor(
    private readonly meta: QueueMeta,
    private readonly availability: Availability,
    private readonly bus: CheckedBus,
  ) {
    this.announcements = new Gatherer(async (keys) => {
      for (const message of messagesOf(keys, bus.largestMessage))
        await meta.withQueue(() => bus.publish(CHANNEL, message));
      return keys.map(() => undefined);
    }, ANNOUNCEMENTS);
  }

  get(keys: readonly string[]): Promise<(string | undefined)[]> {
    return this.meta.get(keys);
  }

  set(texts: Readonly<Record<string, string>>): Promise<void> {
    return this.meta.set(texts);
  }

  delete(keys: readonly string[]): Promise<void> {
    return this.meta.delete(keys);
  }

  scan(cursor: string | undefined): Promise<TextPage> {
    return this.meta.scan(cursor);
  }

  /**
   * Stores the secret in a job. A field of the metadata can only be overwritten, but adding a job under an id that
   * exists leaves the first job as it is.
   */
  async secret(known?: string): Promise<string> {
    const stored = await this.meta.withQueue(async (queue) => {
      const read = async () => ((await queue.getJob(SECRET))?.data as { secret?: string } | undefined)?.secret;
      const earlier = await read();
      if (earlier !== undefined) return earlier;
      await queue.add(SECRET, { secret: known ?? randomBytes(16).toString('base64url') }, { jobId: SECRET });
      return read();
    });
    // The queue was emptied between the two calls: try again.
    return stored ?? this.secret(known);
  }

  async announce(keys: readonly string[]): Promise<void> {
    await Promise.all(keys.map((key) => this.announcements.call(key)));
  }

  follow(listener: (keys: readonly string[] | undefined) => Promise<void>): Following {
    let stopped = false;
    let unsubscribe: (() => Promise<void>) | undefined;
    // However many messages say that any schedule changed, they are read once at a time.
    const readAll = oneAtATime(() => listener(undefined));
    const started = this.availability.whenReachable(async () => {
      if (stopped) return;
      unsubscribe ??= await this.bus.subscribe(CHANNEL, {
        read: readAnnouncement,
        receive: ({ keys }) => (stopped ? undefined : keys ? listener(keys) : readAll()),
        receiveNewer: () => (stopped ? undefined : readAll()),
      });
      await listener(undefined);
    });
    return {
      started,
      stop: () => {
        stopped = true;
        void unsubscribe?.();
      },
    };
  }
}

/** What changed: these keys, or any. */
interface Announcement {
  readonly keys: readonly string[] | undefined;
}

function messagesOf(keys: readonly string[], largest: number): Announcement[] {
  const messages: Announcement[] = [];
  let page: string[] = [];
  let size = 0;
  for (const key of new Set(keys)) {
    const needed = Buffer.byteLength(JSON.stringify(key)) + 1;
    if (size + needed > largest - FRAME) {
      messages.push({ keys: page });
      [page, size] = [[], 0];
    }
    page.push(key);
    size += needed;
  }
  if (page.length > 0) messages.push({ keys: page });
  return messages;
}

/** The bytes of a message without keys. */
const FRAME = Buffer.byteLength(writeMessage({ keys: [] }));

/** Version 0.1.0 sends a message without keys: any schedule may have changed. */
function readAnnouncement({ keys }: Fields): Announcement | undefined {
  if (keys === undefined) return { keys };
  return Array.isArray(keys) && keys.every((key) => typeof key === 'string') ? { keys } : undefined;
}

/** Runs `run` at once, or once more after the run that is under way, however often it is called meanwhile. */
function oneAtATime(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const start = (): Promise<void> => {
    running = run().finally(() => (running = undefined));
    return running;
  };
  const startNext = () => {
    next = undefined;
    return start();
  };
  return () => (running ? (next ??= running.then(startNext, startNext)) : start());
}
