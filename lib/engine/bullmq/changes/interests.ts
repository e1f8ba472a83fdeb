import type { StoredSuccess } from '../jobs/job-success.js';

/** Ids of tasks that changed just now are kept for so many milliseconds, for whoever begins to watch them at this moment. */
export const RECENT = 2_000;

interface Watcher {
  /** It is forgotten then, unless it says again that it waits. */
  until: number;
  endOnly: boolean;
}

/**
 * Who waits for which task in other processes, as those know that run tasks: who waits has an inbox, and says so.
 */
export class Interests {
  private readonly watchers = new Map<string, Map<string, Watcher>>();
  /** With whether they may have become final. */
  private recent = new Map<string, boolean>();
  private earlier = new Map<string, boolean>();
  /** Tasks whose end is on its way into the store, with those who are told before the worker has its answer. */
  private endings = new Map<string, Set<string>>();

  /**
   * @param tell tells the owner of an inbox that a task changed, and what is stored of it if that is known
   * @param tellEnd tells owners of inboxes of a task's end as soon as that is stored
   */
  constructor(
    private readonly tell: (inbox: string, id: string, success?: StoredSuccess) => void,
    private readonly tellEnd: (inboxes: readonly string[], id: string) => void,
  ) {}

  /** @param endOnly whether it only wants to hear that the task may have become final */
  remember(id: string, inbox: string, endOnly: boolean, until: number): void {
    const watchers = this.watchers.get(id) ?? new Map<string, Watcher>();
    this.watchers.set(id, watchers.set(inbox, { until, endOnly }));
    const told = this.endings.get(id);
    if (told) {
      if (!told.has(inbox)) this.tellEnd([inbox], id);
      told.add(inbox);
    } else if (this.hasJustChanged(id, endOnly)) {
      // After they looked, and before this message came.
      this.tell(inbox, id);
    }
  }

  /** @param endOnly whether it may just have become final */
  hasJustChanged(id: string, endOnly: boolean): boolean {
    if (!endOnly) return this.recent.has(id) || this.earlier.has(id);
    return this.recent.get(id) === true || this.earlier.get(id) === true;
  }

  /** Tells whoever waits for it, except those who know. */
  changed(id: string, isEnd: boolean, success?: () => StoredSuccess): void {
    this.recent.set(id, isEnd || this.recent.get(id) === true);
    const knowing = isEnd ? this.endings.get(id) : undefined;
    this.endings.delete(id);
    for (const [inbox, { endOnly }] of this.watchers.get(id) ?? []) {
      if ((isEnd || !endOnly) && !knowing?.has(inbox)) this.tell(inbox, id, success?.());
    }
  }

  /** A task is about to end, before {@link changed} says so: tells who waits for it, and who says so from now on. */
  ending(id: string): void {
    const inboxes = new Set(this.watchers.get(id)?.keys());
    this.endings.set(id, inboxes);
    if (inboxes.size > 0) this.tellEnd([...inboxes], id);
  }

  /** To be called every {@link RECENT} milliseconds. */
  age(now: number): void {
    this.earlier = this.recent;
    this.recent = new Map();
    this.endings = new Map();
    for (const [id, watchers] of this.watchers) {
      for (const [inbox, { until }] of watchers) if (until < now) watchers.delete(inbox);
      if (watchers.size === 0) this.watchers.delete(id);
    }
  }
}
