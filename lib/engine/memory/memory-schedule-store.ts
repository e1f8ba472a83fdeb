import { randomBytes } from 'node:crypto';
import type { Following, ScheduleStore, TextPage } from '../ports/schedule-store.js';

/** The texts of schedules in one place. */
export interface ScheduleTexts {
  readonly texts: Map<string, string>;
  readonly followers: Set<(keys: readonly string[] | undefined) => void>;
  secret: string | undefined;
}

/** One application's view of the texts. */
export class MemoryScheduleStore implements ScheduleStore {
  /** @param open gives the texts; it throws once the application is closed */
  constructor(private readonly open: () => ScheduleTexts) {}

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

  /** One page: all texts are in memory anyway. */
  async scan(): Promise<TextPage> {
    return { texts: new Map(this.open().texts), next: undefined };
  }

  async secret(known?: string): Promise<string> {
    const place = this.open();
    place.secret ??= known ?? randomBytes(16).toString('base64url');
    return place.secret;
  }

  async announce(keys: readonly string[]): Promise<void> {
    for (const follower of this.open().followers) follower(keys);
  }

  follow(listener: (keys: readonly string[] | undefined) => Promise<void>): Following {
    const { followers } = this.open();
    const follower = (keys: readonly string[] | undefined) => void listener(keys);
    followers.add(follower);
    return { started: listener(undefined), stop: () => followers.delete(follower) };
  }
}
