import { randomUUID } from 'node:crypto';
import type { WatchOptions } from '../../ports/query-port.js';
import type { JobSuccess } from '../jobs/job-success.js';
import type { CheckedBus, Subscriber } from '../checked-bus.js';
import type { PreparedMessage } from '../message-bus.js';
import {
  changeMessages,
  isInbox,
  readRequest,
  replyChannelOf,
  WATCHERS,
  WORKERS,
  type CancelRequest,
  type ChangeMessage,
} from './change-protocol.js';
import { ChangePublisher, type OnCancelRequest } from './change-publisher.js';
import { TaskSubscriptions, type Listener } from './task-subscriptions.js';

/**
 * Tells watchers, in this process and in others, that a task changed.
 *
 * BullMQ's own event stream carries every event of every task to every process that waits for one of them. Here a
 * watching process tells the workers which tasks it watches ({@link TaskSubscriptions}), and the workers tell it of those
 * alone ({@link ChangePublisher}): a task without a watcher costs nothing, and a watcher costs the same however busy the
 * queue is.
 */
export class ChangeFeed {
  private readonly inbox = randomUUID();
  private readonly replyChannel = replyChannelOf(this.inbox);
  private readonly subscriptions: TaskSubscriptions;
  /** Only in a process that runs tasks. */
  private publisher: ChangePublisher | undefined;
  private serving: Promise<void> | undefined;
  private readonly unsubscribers: (() => Promise<void>)[] = [];
  private closed = false;

  constructor(private readonly bus: CheckedBus) {
    this.subscriptions = new TaskSubscriptions({
      bus,
      replyChannel: this.replyChannel,
      subscribe: (channel, subscriber) => this.subscribe(channel, subscriber),
      hasJustChanged: (id, endOnly) => this.publisher?.hasJustChanged(id, endOnly) ?? false,
    });
  }

  /**
   * Called before this process makes the jobs of these tasks.
   *
   * @returns the inbox that the jobs are to name: of this process, when it probably waits for the ends of the tasks
   */
  inboxFor(tasks: readonly { readonly id: string }[]): string | undefined {
    return this.subscriptions.mayNameInbox(tasks) ? this.inbox : undefined;
  }

  /** Called by a worker that has taken a job. @param inbox what the job names: anything, if another program has stored it */
  taken(id: string, inbox: unknown): void {
    if (isInbox(inbox)) this.publisher?.takenFor(id, replyChannelOf(inbox));
  }

  /** Called before this process stores these tasks: a watcher that comes next need not fetch them. */
  willStore(ids: Iterable<string>): void {
    this.subscriptions.noteStored(ids);
  }

  /** Calls `listener` as {@link WatchOptions} says, until the returned function is called. */
  watch(id: string, listener: Listener, options: WatchOptions): () => void {
    return this.subscriptions.watch(id, listener, options);
  }

  /**
   * Called by a worker after it stored a change of a task.
   *
   * @param isEnd whether the task may be final by now
   * @param success what is stored of a task that succeeded; called only when there is a watcher
   */
  changed(id: string, isEnd = false, success?: () => JobSuccess): void {
    this.subscriptions.changed(id, isEnd, success);
    this.publisher?.changed(id, isEnd, success);
  }

  /** Called by a worker when it begins to store the end of a task. See {@link ChangePublisher.announceEnd}. */
  ending(id: string): void {
    this.publisher?.announceEnd(id);
  }

  /** Called with the statement that stores the success of a task. See {@link ChangePublisher.endMessages}. */
  endMessages(id: string, success: () => JobSuccess): readonly PreparedMessage[] {
    return this.publisher?.endMessages(id, success) ?? [];
  }

  /** Called when that statement failed. */
  endFailed(id: string): void {
    this.publisher?.endFailed(id);
  }

  /** Called after a caller of this process changed tasks. The process may know of no watcher, so it tells all of them. */
  async changedByRequest(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      this.subscriptions.noteChanged(id);
      this.subscriptions.wake(id);
    }
    const messages = changeMessages(new Map(ids.map((id) => [id, undefined])), this.bus.largestMessage);
    await Promise.all(messages.map((message) => this.bus.publish(WATCHERS, message)));
  }

  /** Begins to remember who watches what, and to receive requests to cancel. For processes that run tasks. */
  serve(onCancelRequest: OnCancelRequest): Promise<void> {
    this.publisher ??= new ChangePublisher(this.bus, this.replyChannel, onCancelRequest);
    this.serving ??= this.startServing(this.publisher).catch((error: unknown) => {
      this.serving = undefined;
      throw error;
    });
    return this.serving;
  }

  /** Asks the workers that run these tasks to read the stored requests to cancel. */
  async requestCancels(ids: readonly string[]): Promise<void> {
    await Promise.all(ids.map((id) => this.bus.publish(WORKERS, { type: 'cancel', id } satisfies CancelRequest)));
  }

  async close(): Promise<void> {
    this.closed = true;
    this.subscriptions.close();
    this.publisher?.close();
    await Promise.allSettled(this.unsubscribers.map((unsubscribe) => unsubscribe()));
  }

  private async startServing(publisher: ChangePublisher): Promise<void> {
    // A request of a later version is found by the polls: the watcher's, or that for requests to cancel.
    await this.subscribe(WORKERS, { read: readRequest, receive: (request) => publisher.receive(request) });
    await this.bus.publish(WATCHERS, { repeat: true } satisfies ChangeMessage);
  }

  private async subscribe<T>(channel: string, subscriber: Subscriber<T>): Promise<void> {
    const unsubscribe = await this.bus.subscribe(channel, subscriber);
    if (this.closed) await unsubscribe();
    else this.unsubscribers.push(unsubscribe);
  }
}
