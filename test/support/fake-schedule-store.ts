import type { Following, ScheduleStore, TextPage } from '../../lib/engine/ports/schedule-store.js';
import { EngineUnavailableError } from '../../lib/errors.js';

/** Texts of one page of a scan: so few that the tests read several pages. */
const PAGE = 3;

/** A store in memory that several processes of one test can share. */
export class FakeScheduleStore implements ScheduleStore {
  readonly texts = new Map<string, string>();
  private readonly followers = new Set<(keys: readonly string[] | undefined) => Promise<void>>();
  private storedSecret: string | undefined;
  private secrets = 0;
  /** While this is `false`, every method that answers throws `EngineUnavailableError`. */
  reachable = true;

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

  async scan(cursor = ''): Promise<TextPage> {
    this.check();
    const sorted = [...this.texts].filter(([key]) => key > cursor).toSorted(([a], [b]) => (a < b ? -1 : 1));
    const page = sorted.slice(0, PAGE);
    return { texts: new Map(page), next: sorted.length > PAGE ? page.at(-1)?.[0] : undefined };
  }

  async secret(known?: string): Promise<string> {
    this.check();
    return (this.storedSecret ??= known ?? `secret ${++this.secrets}`);
  }

  async announce(keys: readonly string[]): Promise<void> {
    this.check();
    for (const follower of this.followers) void follower(keys);
  }

  /** Loses everything, as a server without persistence that restarts. */
  lose(): void {
    this.texts.clear();
    this.storedSecret = undefined;
  }

  follow(listener: (keys: readonly string[] | undefined) => Promise<void>): Following {
    this.followers.add(listener);
    return { started: listener(undefined), stop: () => this.followers.delete(listener) };
  }

  private check(): void {
    if (!this.reachable) throw new EngineUnavailableError('cannot be reached');
  }
}
