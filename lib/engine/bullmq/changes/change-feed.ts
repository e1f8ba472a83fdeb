import { randomUUID } from 'node:crypto';
import type { Interest } from '../../engine.js';
import { Interests, RECENT } from './interests.js';
import { messagesOf, requestsToWatch, type News, type Request } from './change-protocol.js';
import type { MessageBus } from '../message-bus.js';
import type { StoredSuccess } from '../jobs/job-success.js';

/** The channel every process that runs tasks listens to. */
const WORKERS = 'workers';
/** The channel every process that waits for tasks listens to: a worker that starts asks who waits. */
const WATCHERS = 'watchers';

/** Without a notification, a watched task is looked at after 1 s, then ever more seldom, at least every 10 s. */
const FIRST_POLL = 1_000;
const SLOWEST_POLL = 10_000;
/** Workers forget who watches a task when that is not repeated, as the poll does. */
const INTEREST_LIFE = 3 * SLOWEST_POLL;
/** Hears that a task changed; if it succeeded, perhaps what is stored of it. */
type Listener = (success?: StoredSuccess) => void;

interface Watch {
  readonly listeners: Set<Listener>;
  endOnly: boolean;
  nextPoll: number;
  pollAfter: number;
}

/**
 * Tells who waits for a task that it changed, across processes.
 *
 * BullMQ's own event stream carries every event of every task of a queue to everybody who waits for one of them. Here a
 * process that waits says which tasks it waits for, the processes that run tasks remember, and tell it of those alone:
 * a task nobody waits for costs nothing, and waiting costs a process as much as it waits for, whatever the others do.
 *
 * Messages may be lost, so each watched task is also looked at now and then, and what was said is said again.
 */
export class ChangeFeed {
  private readonly watches = new Map<string, Watch>();
  private readonly interests = new Interests(
    (inbox, id, success) => this.tell(inbox, id, success),
    (inboxes, id) => this.bus.publishEnd?.(id, inboxes),
  );
  /** With whether to look at the task then. */
  private readonly unsaid = new Map<string, boolean>();
  private readonly outbox = new Map<string, Map<string, StoredSuccess | undefined>>();
  private readonly inbox = `inbox:${randomUUID()}`;
  private readonly unsubscribers: (() => Promise<void>)[] = [];
  private listening: Promise<void> | undefined;
  private listens = false;
  private serving: Promise<void> | undefined;
  private pollTimer: NodeJS.Timeout | undefined;
  private ageTimer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(private readonly bus: MessageBus) {}

  /** Calls `listener` as {@link Interest} says, until the returned function is called. */
  watch(id: string, listener: Listener, { endOnly, isNew }: Interest): () => void {
    const known = this.watches.get(id);
    // Of what ends in this process it is told here, so it has to be remembered here.
    const look = !isNew || this.interests.hasJustChanged(id, endOnly);
    if (!known) {
      const listeners = new Set([listener]);
      this.watches.set(id, { listeners, endOnly, nextPoll: Date.now() + FIRST_POLL, pollAfter: FIRST_POLL });
      this.announce(id, look);
    } else {
      known.listeners.add(listener);
      if (look) queueMicrotask(() => listener());
      if (known.endOnly && !endOnly) {
        known.endOnly = false;
        this.announce(id);
      }
    }
    this.pollTimer ??= setInterval(() => this.poll(), FIRST_POLL).unref();
    return () => {
      const watch = this.watches.get(id);
      watch?.listeners.delete(listener);
      if (watch?.listeners.size === 0) this.watches.delete(id);
      if (this.watches.size === 0) {
        clearInterval(this.pollTimer);
        this.pollTimer = undefined;
      }
    };
  }

  /**
   * To be called by whoever changed a task, after the change is stored.
   *
   * @param isEnd whether it may be final by now
   * @param success what is stored of it, if it succeeded; asked for only when somebody waits
   */
  changed(id: string, isEnd = false, success?: () => StoredSuccess): void {
    const watch = this.watches.get(id);
    if (watch && (isEnd || !watch.endOnly)) this.wake(id, success?.());
    if (this.serving) this.interests.changed(id, isEnd, success);
  }

  /**
   * To be called in the turn of the event loop in which a worker is told how a task ended: where the message cannot be
   * faster than that, whoever waits in another process is told at once, and not only when the worker has its answer.
   */
  ending(id: string): void {
    if (this.bus.publishEnd) this.interests.ending(id);
  }

  /** As {@link changed}, from a process that may run no tasks and so knows of no interest: everybody who waits is told. */
  async changedByRequest(id: string): Promise<void> {
    this.wake(id);
    await this.say(WATCHERS, { ids: [id] });
  }

  /** Begins to remember who watches what, and to hear requests for cancellation. For processes that run tasks. */
  serve(onCancel: (id: string, reason: string | undefined) => void): Promise<void> {
    this.serving ??= this.beginToServe(onCancel).catch((error: unknown) => {
      this.serving = undefined;
      throw error;
    });
    return this.serving;
  }

  private async beginToServe(onCancel: (id: string, reason: string | undefined) => void): Promise<void> {
    this.ageTimer ??= setInterval(() => this.interests.age(Date.now()), RECENT).unref();
    await this.subscribe(WORKERS, (text) => {
      const message = JSON.parse(text) as Request;
      if (message.type === 'cancel') onCancel(message.id, message.reason);
      else this.remember(message.ids, message.inbox, message.endOnly);
    });
    await this.say(WATCHERS, { repeat: true });
  }

  async requestCancel(id: string, reason: string | undefined): Promise<void> {
    const message: Request = reason === undefined ? { type: 'cancel', id } : { type: 'cancel', id, reason };
    await this.say(WORKERS, message);
  }

  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.pollTimer);
    clearInterval(this.ageTimer);
    await Promise.allSettled(this.unsubscribers.map((unsubscribe) => unsubscribe()));
  }

  private say(channel: string, message: News | Request): Promise<void> {
    return this.bus.publish(channel, JSON.stringify(message));
  }

  // The side that waits.

  private wake(id: string, success?: StoredSuccess): void {
    for (const listener of this.watches.get(id)?.listeners ?? []) listener(success);
  }

  /** Says which tasks are waited for: all that were asked for in one turn of the event loop in as few messages as fit. */
  private announce(id: string, look = true): void {
    if (this.unsaid.size === 0) setImmediate(() => void this.sayWhatIsWatched());
    this.unsaid.set(id, look || this.unsaid.get(id) === true);
  }

  private async sayWhatIsWatched(): Promise<void> {
    const ids = [...this.unsaid.keys()];
    const toLookAt = ids.filter((id) => this.unsaid.get(id));
    this.unsaid.clear();
    if (this.closed) return;
    const begun = Date.now();
    let told: Promise<unknown>;
    try {
      if (!this.listens) await Promise.race([this.listen(), tooLong()]);
      told = Promise.all(this.interestIn(ids).map((message) => this.say(WORKERS, message)));
    } catch {
      // Out of reach: the poll says it again.
      return ids.forEach((id) => this.wake(id));
    }
    // At once: what changes before somebody is told is remembered there for a while, unless the message takes too long.
    for (const id of toLookAt) this.wake(id);
    await told.catch(() => undefined);
    if (Date.now() - begun > RECENT / 2) for (const id of ids) this.wake(id);
  }

  private interestIn(ids: readonly string[]): Request[] {
    return [true, false].flatMap((endOnly) => {
      const some = ids.filter((id) => (this.watches.get(id)?.endOnly ?? false) === endOnly);
      return requestsToWatch(some, this.inbox, endOnly);
    });
  }

  private listen(): Promise<void> {
    this.listening ??= (async () => {
      await this.subscribe(this.inbox, (text) => this.hear(text));
      await this.subscribe(WATCHERS, (text) => this.hear(text));
      this.listens = true;
    })().catch((error: unknown) => {
      this.listening = undefined;
      throw error;
    });
    return this.listening;
  }

  private hear(text: string): void {
    const { ids = [], successes = [], repeat = false } = JSON.parse(text) as News;
    for (const id of ids) this.wake(id);
    for (const [id, stored] of successes) this.wake(id, stored);
    if (repeat) for (const id of this.watches.keys()) this.announce(id);
  }

  private poll(): void {
    const now = Date.now();
    for (const [id, watch] of this.watches) {
      if (watch.nextPoll > now) continue;
      watch.pollAfter = Math.min(watch.pollAfter * 2, SLOWEST_POLL);
      watch.nextPoll = now + watch.pollAfter;
      this.announce(id);
    }
  }

  // The side that runs tasks.

  private remember(ids: readonly string[], inbox: string, endOnly: boolean): void {
    // Who waits in this process is told without a message.
    if (inbox === this.inbox) return;
    const until = Date.now() + INTEREST_LIFE;
    for (const id of ids) this.interests.remember(id, inbox, endOnly, until);
  }

  /** All that changed in one turn of the event loop goes in as few messages as hold it to each who waits. */
  private tell(inbox: string, id: string, success: StoredSuccess | undefined): void {
    if (this.outbox.size === 0) setImmediate(() => this.deliver());
    const news = this.outbox.get(inbox) ?? new Map<string, StoredSuccess | undefined>();
    this.outbox.set(inbox, news.set(id, success));
  }

  private deliver(): void {
    const outbox = [...this.outbox];
    this.outbox.clear();
    for (const [inbox, news] of outbox) {
      for (const message of messagesOf(news)) this.bus.publish(inbox, message).catch(() => undefined);
    }
  }

  private async subscribe(channel: string, listener: (message: string) => void): Promise<void> {
    const unsubscribe = await this.bus.subscribe(channel, listener);
    if (this.closed) await unsubscribe();
    else this.unsubscribers.push(unsubscribe);
  }
}

/** A connection that is being made again for a minute is no reason to look at nothing meanwhile. */
async function tooLong(): Promise<never> {
  await new Promise((resolve) => setTimeout(resolve, FIRST_POLL).unref());
  throw new Error('Nobody can be told for now.');
}
