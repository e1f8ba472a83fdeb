import { randomBytes } from 'node:crypto';
import type { Following, ScheduleStore } from '../ports/schedule-store.js';

/** The texts of schedules in one place. */
export interface ScheduleTexts {
  readonly texts: Map<string, string>;
  readonly followers: Set<() => void>;
  secret: string | undefined;
}

/** One application's view of the texts. */
export class MemoryScheduleStore implements ScheduleStore {
  /** @param open gives the texts; it throws once the application is closed */
  constructor(private readonly open: () => ScheduleTexts) {}

  async all(): Promise<ReadonlyMap<string, string>> {
    return new Map(this.open().texts);
  }

  async get(keys: readonly string[]): Promise<(string | undefined)[]> {
    const { texts } = this.open();
    return keys.map((key) => texts.get(key));
  }

  async set(changed: Readonly<Record<string, string>>): Promise<void> {
    const { texts } = this.open();
    for (const [key, text] of Object.entries(changed)) texts.set(key, text);
  }

  async delete(keys: readonly string[]): Promise<void> {
    const { texts } = this.open();
    for (const key of keys) texts.delete(key);
  }

  async secret(): Promise<string> {
    const place = this.open();
    place.secret ??= randomBytes(16).toString('base64url');
    return place.secret;
  }

  async announce(): Promise<void> {
    for (const follower of this.open().followers) follower();
  }

  follow(listener: () => Promise<void>): Following {
    const { followers } = this.open();
    const follower = () => void listener();
    followers.add(follower);
    return { started: listener(), stop: () => followers.delete(follower) };
  }
}
