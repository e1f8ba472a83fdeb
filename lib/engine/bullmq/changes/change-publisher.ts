import type { CheckedBus } from '../checked-bus.js';
import type { JobSuccess } from '../jobs/job-success.js';
import type { PreparedMessage } from '../message-bus.js';
import {
  changeMessages,
  RECENT_CHANGES,
  WATCH_REQUEST_LIFE,
  type CancelRequest,
  type WatchRequest,
} from './change-protocol.js';
import { RecentChanges } from './recent-changes.js';

/** Watched tasks that a process remembers. Watchers of further tasks find their ends by polls. */
const MOST_WATCHED = 1_000_000;

/** The most tasks of one request whose successes are sent one by one. The watcher of more tasks fetches many with one call. */
const FEW_TASKS = 10;

/** A process elsewhere that watches a task. */
interface RemoteWatcher {
  /** The time at which the request is forgotten unless it is repeated. */
  until: number;
  endOnly: boolean;
}

/** Called with a task that a caller in any process cancelled, if the message is true. */
export type OnCancelRequest = (id: string) => void;

/**
 * The side of the change feed that runs tasks: it remembers which processes watch which tasks, and tells each process of
 * its own tasks alone. A task that has no watcher costs no message.
 */
export class ChangePublisher {
  /** By task, then by the reply channel of the watching process. */
  private readonly watchers = new Map<string, Map<string, RemoteWatcher>>();
  /** Tasks that changed a moment ago, and those of them that may have become final. */
  private readonly recentChanges = new RecentChanges();
  /** Tasks whose end is being stored, with the reply channels that are told of it along with the storing. */
  private ending = new Map<string, Set<string>>();
  private readonly outbox = new Map<string, Map<string, JobSuccess | undefined>>();
  private readonly agingTimer: NodeJS.Timeout;

  /** @param ownReplyChannel watchers in this process are called directly, without a message */
  constructor(
    private readonly bus: Pick<CheckedBus, 'publish' | 'publishEnd' | 'prepare' | 'largestMessage'>,
    private readonly ownReplyChannel: string,
    private readonly onCancelRequest: OnCancelRequest,
  ) {
    this.agingTimer = setInterval(() => this.age(performance.now()), RECENT_CHANGES).unref();
  }

  close(): void {
    clearInterval(this.agingTimer);
  }

  receive(request: WatchRequest | CancelRequest): void {
    if (request.type === 'cancel') return this.onCancelRequest(request.id);
    if (request.inbox === this.ownReplyChannel) return;
    const isFew = request.ids.length <= FEW_TASKS;
    for (const id of request.ids) this.addWatcher(id, request.inbox, { endOnly: request.endOnly, isFew });
  }

  /** A worker of this process has taken a task that names the process which probably waits for its end. */
  takenFor(id: string, replyChannel: string): void {
    if (replyChannel !== this.ownReplyChannel) this.addWatcher(id, replyChannel, { endOnly: true, isFew: true });
  }

  /** Whether a task changed a moment ago. @param endOnly whether it may have become final a moment ago */
  hasJustChanged(id: string, endOnly: boolean): boolean {
    return this.recentChanges.has(id, endOnly);
  }

  /**
   * Tells the watchers of a task that it changed, except those that {@link announceEnd} has told already.
   *
   * @param isEnd whether the task may be final by now
   * @param success what is stored of a task that succeeded; called only when there is a watcher
   */
  changed(id: string, isEnd: boolean, success?: () => JobSuccess): void {
    this.recentChanges.add(id, isEnd);
    const alreadyTold = isEnd ? this.ending.get(id) : undefined;
    this.ending.delete(id);
    for (const [replyChannel, { endOnly }] of this.watchers.get(id) ?? []) {
      if ((isEnd || !endOnly) && !alreadyTold?.has(replyChannel)) this.send(replyChannel, id, success?.());
    }
  }

  /**
   * Called in the turn of the event loop in which a worker begins to store the end of a task. Where the bus can put the
   * news right behind the storing (Redis), current watchers, and those that come before {@link changed}, are told then.
   */
  announceEnd(id: string): void {
    if (!this.bus.publishEnd) return;
    const replyChannels = new Set(this.watchers.get(id)?.keys());
    this.ending.set(id, replyChannels);
    if (replyChannels.size > 0) this.bus.publishEnd(id, [...replyChannels]);
  }

  /**
   * Called when a worker sends the statement that stores the success of a task, by a driver whose statement can send messages too
   * (PostgreSQL). The watchers that are known by then receive them with the commit, and {@link changed} leaves them out.
   */
  endMessages(id: string, success: () => JobSuccess): PreparedMessage[] {
    const channels = [...(this.watchers.get(id)?.keys() ?? [])];
    if (channels.length === 0) return [];
    const messages = changeMessages(new Map([[id, success()]]), this.bus.largestMessage);
    const prepared = channels.flatMap((channel) =>
      messages.flatMap((message) => this.bus.prepare(channel, message) ?? []),
    );
    if (prepared.length > 0) this.ending.set(id, new Set(channels));
    return prepared;
  }

  /** The statement with the messages of {@link endMessages} failed, so no watcher has received them. */
  endFailed(id: string): void {
    this.ending.delete(id);
  }

  private addWatcher(
    id: string,
    replyChannel: string,
    { endOnly, isFew }: { readonly endOnly: boolean; readonly isFew: boolean },
  ): void {
    const known = this.watchers.get(id);
    if (!known && this.watchers.size >= MOST_WATCHED) return;
    const watchers = known ?? new Map<string, RemoteWatcher>();
    this.watchers.set(id, watchers.set(replyChannel, { until: performance.now() + WATCH_REQUEST_LIFE, endOnly }));
    const told = this.ending.get(id);
    if (told) {
      // Without `publishEnd`, a watcher that comes while the end is being stored waits for `changed`.
      if (!this.bus.publishEnd) return;
      if (!told.has(replyChannel)) this.bus.publishEnd(id, [replyChannel]);
      told.add(replyChannel);
    } else if (this.hasJustChanged(id, endOnly)) {
      // The task changed after the watcher fetched it and before this request came.
      if (isFew && this.bus.publishEnd && this.hasJustChanged(id, true)) this.bus.publishEnd(id, [replyChannel]);
      else this.send(replyChannel, id, undefined);
    }
  }

  /** Gathers all changes of one turn of the event loop, so that each process gets few messages. */
  private send(replyChannel: string, id: string, success: JobSuccess | undefined): void {
    if (this.outbox.size === 0) setImmediate(() => this.flush());
    const changes = this.outbox.get(replyChannel) ?? new Map<string, JobSuccess | undefined>();
    this.outbox.set(replyChannel, changes.set(id, success));
  }

  private flush(): void {
    const outbox = [...this.outbox];
    this.outbox.clear();
    for (const [replyChannel, changes] of outbox) {
      for (const message of changeMessages(changes, this.bus.largestMessage))
        this.bus.publish(replyChannel, message).catch(() => undefined);
    }
  }

  private age(now: number): void {
    this.recentChanges.age();
    this.ending = new Map();
    for (const [id, watchers] of this.watchers) {
      for (const [replyChannel, { until }] of watchers) if (until < now) watchers.delete(replyChannel);
      if (watchers.size === 0) this.watchers.delete(id);
    }
  }
}
