import type { Following, ScheduleStore } from '../../lib/engine/ports/schedule-store.js';
import { EngineUnavailableError } from '../../lib/errors.js';

/** A store in memory that several processes of one test can share. */
export class FakeScheduleStore implements ScheduleStore {
  readonly texts = new Map<string, string>();
  private readonly followers = new Set<() => Promise<void>>();
  /** While this is `false`, every method that answers throws `EngineUnavailableError`. */
  reachable = true;

  async all(): Promise<ReadonlyMap<string, string>> {
    this.check();
    return new Map(this.texts);
  }

  async get(keys: readonly string[]): Promise<(string | undefined)[]> {
    this.check();
    return keys.map((key) => this.texts.get(key));
  }

  async set(texts: Readonly<Record<string, string>>): Promise<void> {
    this.check();
    for (const [key, text] of Object.entries(texts)) this.texts.set(key, text);
  }

  async delete(keys: readonly string[]): Promise<void> {
    this.check();
    for (const key of keys) this.texts.delete(key);
  }

  async secret(): Promise<string> {
    this.check();
    return 'a secret';
  }

  async announce(): Promise<void> {
    this.check();
    for (const follower of this.followers) void follower();
  }

  follow(listener: () => Promise<void>): Following {
    this.followers.add(listener);
    return { started: listener(), stop: () => this.followers.delete(listener) };
  }

  private check(): void {
    if (!this.reachable) throw new EngineUnavailableError('cannot be reached');
  }
}
