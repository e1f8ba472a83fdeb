import { endsWithin } from '../../../concurrency.js';
import type { WatchOptions } from '../../ports/query-port.js';
import type { JobSuccess } from '../jobs/job-success.js';
import type { CheckedBus, Subscriber } from '../checked-bus.js';
import {
  FIRST_POLL,
  isTaskId,
  JUST_STORED,
  readChangeMessage,
  RECENT_CHANGES,
  SLOWEST_POLL,
  WATCHERS,
  watchRequests,
  WORKERS,
  type ChangeMessage,
  type WatchRequest,
} from './change-protocol.js';
import { ExpectedWatches } from './expected-watches.js';
import { RecentIds } from './recent-ids.js';

/** Called when a task may have changed; of a task that succeeded, perhaps with what is stored of it. */
export type Listener = (success?: JobSuccess) => void;

/** One watched task, however many listeners it has. */
interface Watch {
  readonly listeners: Set<Listener>;
  endOnly: boolean;
  /** The time at which the workers are asked for news again. */
  nextRequest: number;
  /** The time from which on the listeners are called although there is no news. */
  nextPoll: number;
  pollAfter: number;
}

/**
 * Tasks whose listeners one poll calls: each of them reads its task from the store. A process that waits for ten thousand tasks reads
 * a tenth of them each second, so the polls never take more than a part of the store from the workers.
 */
const POLLED_AT_ONCE = 1_000;

export interface TaskSubscriptionsDeps {
  readonly bus: Pick<CheckedBus, 'publish' | 'isDeaf'>;
  /** The channel on which other processes reach this one. */
  readonly replyChannel: string;
  /** Subscribes for as long as the feed is open. */
  readonly subscribe: <T>(channel: string, subscriber: Subscriber<T>) => Promise<void>;
  /** Whether a task that ran in this process changed a moment ago. */
  readonly hasJustChanged: (id: string, endOnly: boolean) => boolean;
}

/**
 * The side of the change feed that waits for tasks: it tells the workers which tasks this process watches, and calls the
 * listeners when a worker says that one of them changed. A poll makes up for lost messages.
 */
export class TaskSubscriptions {
  private readonly watches = new Map<string, Watch>();
  /** Task ids to announce to the workers; the value says whether to call the listeners once that is done. */
  private readonly unannounced = new Map<string, boolean>();
  /** Tasks that this process stored a moment ago. */
  private readonly justStored = new RecentIds();
  /** Those of them that name the inbox of this process, so that no request has to tell the workers of it. */
  private readonly withInbox = new RecentIds();
  /** Those of {@link withInbox} of which there was news before anything in this process waited for them. */
  private readonly toldEarly = new RecentIds();
  private readonly expected = new ExpectedWatches();
  private listening: Promise<void> | undefined;
  private isListening = false;
  private announcedAgainAt = -Infinity;
  private pollTimer: NodeJS.Timeout | undefined;
  private agingTimer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(private readonly deps: TaskSubscriptionsDeps) {}

  /** Remembers for a moment that this process stores these tasks, so that {@link watch} does not fetch them at once. */
  noteStored(ids: Iterable<string>): void {
    let count = 0;
    for (const id of ids) {
      this.justStored.add(id);
      count++;
    }
    this.expected.stored(count);
    this.agingTimer ??= setInterval(() => this.age(), JUST_STORED / 2).unref();
  }

  /**
   * Called before this process stores tasks. When it probably waits for their ends, the tasks are to name its inbox: then a worker that
   * takes one knows who waits for it, before and without a request.
   */
  mayNameInbox(tasks: readonly { readonly id: string }[]): boolean {
    const mayName = this.isListening && this.expected.areLikely && !this.closed && !this.deps.bus.isDeaf;
    if (mayName) for (const { id } of tasks) this.withInbox.add(id);
    return mayName;
  }

  /** The task was changed by a caller of this process, so it is no longer known to be as it was stored. */
  noteChanged(id: string): void {
    this.justStored.delete(id);
  }

  /** Calls `listener` as {@link WatchOptions} says, until the returned function is called. */
  watch(id: string, listener: Listener, { endOnly }: WatchOptions): () => void {
    const known = this.watches.get(id);
    // A task that ends in this process is announced to no channel, so the recent changes are checked here.
    const isJustStored = endOnly && this.justStored.has(id);
    const callSoon = !isJustStored || this.deps.hasJustChanged(id, endOnly);
    if (!known) {
      if (isJustStored) this.expected.watched();
      const listeners = new Set([listener]);
      const first = performance.now() + FIRST_POLL;
      this.watches.set(id, { listeners, endOnly, nextRequest: first, nextPoll: first, pollAfter: FIRST_POLL });
      if (isJustStored && this.toldEarly.has(id)) queueMicrotask(() => listener());
      // Workers of earlier versions do not know of inboxes in tasks: the first poll asks them.
      else if (callSoon || !this.withInbox.has(id)) this.announce(id, callSoon);
    } else {
      known.listeners.add(listener);
      if (callSoon) queueMicrotask(() => listener());
      if (known.endOnly && !endOnly) {
        known.endOnly = false;
        this.announce(id);
      }
    }
    this.pollTimer ??= setInterval(() => this.poll(), FIRST_POLL).unref();
    return () => this.unwatch(id, listener);
  }

  /** Calls the listeners of a task. @param isEnd whether the task may be final by now */
  changed(id: string, isEnd: boolean, success?: () => JobSuccess): void {
    const watch = this.watches.get(id);
    if (watch && (isEnd || !watch.endOnly)) this.wake(id, success?.());
  }

  wake(id: string, success?: JobSuccess): void {
    for (const listener of this.watches.get(id)?.listeners ?? []) listener(success);
  }

  /** Calls the listeners of tasks whose messages may be lost: some of them at once, and the others with the next polls. */
  private wakeSoon(ids: readonly string[]): void {
    const now = performance.now();
    for (const [index, id] of ids.entries()) {
      const watch = this.watches.get(id);
      if (index < POLLED_AT_ONCE) this.wake(id);
      else if (watch) watch.nextPoll = now;
    }
  }

  close(): void {
    this.closed = true;
    clearInterval(this.pollTimer);
    clearInterval(this.agingTimer);
  }

  private unwatch(id: string, listener: Listener): void {
    const watch = this.watches.get(id);
    watch?.listeners.delete(listener);
    if (watch?.listeners.size === 0) this.watches.delete(id);
    if (this.watches.size > 0) return;
    clearInterval(this.pollTimer);
    this.pollTimer = undefined;
  }

  /** Announces all tasks that were watched in one turn of the event loop in as few messages as fit. */
  private announce(id: string, callListeners = true): void {
    if (this.unannounced.size === 0) setImmediate(() => void this.announceAll());
    this.unannounced.set(id, callListeners || this.unannounced.get(id) === true);
  }

  private async announceAll(): Promise<void> {
    const ids = [...this.unannounced.keys()];
    const toCall = ids.filter((id) => this.unannounced.get(id));
    this.unannounced.clear();
    if (this.closed) return;
    const begun = performance.now();
    let sent: Promise<unknown>;
    try {
      // While a connection is being made again, perhaps for a minute, the listeners fetch their tasks.
      if (!this.isListening && !(await endsWithin(this.listen(), FIRST_POLL))) return this.wakeSoon(ids);
      sent = Promise.all(this.requestsFor(ids).map((request) => this.publish(request)));
    } catch {
      // The poll announces them again.
      return this.wakeSoon(ids);
    }
    // Listeners need not wait for the answer: workers remember recent changes, unless the message takes too long.
    for (const id of toCall) this.wake(id);
    await sent.catch(() => undefined);
    if (performance.now() - begun > RECENT_CHANGES / 2) this.wakeSoon(ids);
  }

  /** A caller may watch any text. The workers would drop a request with a text that is no task id. */
  private requestsFor(ids: readonly string[]): WatchRequest[] {
    return [true, false].flatMap((endOnly) => {
      const some = ids.filter((id) => isTaskId(id) && (this.watches.get(id)?.endOnly ?? false) === endOnly);
      return watchRequests(some, this.deps.replyChannel, endOnly);
    });
  }

  private publish(request: WatchRequest): Promise<void> {
    return this.deps.bus.publish(WORKERS, request);
  }

  private listen(): Promise<void> {
    this.listening ??= (async () => {
      for (const channel of [this.deps.replyChannel, WATCHERS]) {
        await this.deps.subscribe(channel, {
          read: readChangeMessage,
          receive: (message) => this.receive(message),
          receiveNewer: () => this.announceAgain(),
        });
      }
      this.isListening = true;
    })().catch((error: unknown) => {
      this.listening = undefined;
      throw error;
    });
    return this.listening;
  }

  private receive({ ids = [], successes = [], repeat }: ChangeMessage): void {
    for (const id of ids) this.tell(id);
    for (const [id, stored] of successes) this.tell(id, stored);
    if (repeat) this.announceAgain();
  }

  private tell(id: string, success?: JobSuccess): void {
    if (!this.watches.has(id) && this.withInbox.has(id)) this.toldEarly.add(id);
    this.wake(id, success);
  }

  /** Announces and fetches all tasks: now, or with the next poll when that has just been done. */
  private announceAgain(): void {
    const now = performance.now();
    const isSoonAgain = now - this.announcedAgainAt < FIRST_POLL;
    if (!isSoonAgain) this.announcedAgainAt = now;
    let left = POLLED_AT_ONCE;
    for (const [id, watch] of this.watches) {
      if (isSoonAgain) watch.nextRequest = now;
      else this.announce(id, left-- > 0);
      if (isSoonAgain || left < 0) watch.nextPoll = now;
    }
  }

  private poll(): void {
    const now = performance.now();
    const { isDeaf } = this.deps.bus;
    // Without messages, the polls are all that callers have.
    let left = isDeaf ? Infinity : POLLED_AT_ONCE;
    for (const [id, watch] of this.watches) {
      const isDue = watch.nextPoll <= now && left > 0;
      if (!isDue && watch.nextRequest > now) continue;
      watch.pollAfter = isDeaf ? FIRST_POLL : Math.min(watch.pollAfter * 2, SLOWEST_POLL);
      watch.nextRequest = now + watch.pollAfter;
      this.announce(id, isDue);
      if (!isDue) continue;
      left--;
      watch.nextPoll = now + watch.pollAfter;
      // The tasks that were not read for the longest time come first.
      this.watches.delete(id);
      this.watches.set(id, watch);
    }
  }

  private age(): void {
    this.justStored.age();
    this.withInbox.age();
    this.toldEarly.age();
    if (!this.justStored.isEmpty) return;
    clearInterval(this.agingTimer);
    this.agingTimer = undefined;
  }
}
