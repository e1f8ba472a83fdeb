import { setImmediate } from 'node:timers';
import type { ConsumerOptions } from '../ports/worker-port.js';
import type { Clock } from '../clock.js';
import { NO_SETTINGS, type SettingsByQueue } from './memory-control.js';
import { RateWindow } from './rate-window.js';
import type { StoredTask } from './stored-task.js';
import type { TaskStore } from './task-store.js';
import { hasExpiredUnstarted } from './task-to-record.js';

/** Runs tasks of one queue, several at the same time. */
export interface Runner {
  readonly queue: string;
  readonly options: ConsumerOptions;
  readonly hasFreePlace: boolean;
  run(task: StoredTask): void;
}

/**
 * Hands queued tasks to the consumers of their queues, in turn, within their limits. It works in a turn of the event loop
 * of its own, so that a queue full of short tasks lets timers and sockets in between.
 */
export class Dispatcher {
  private readonly consumers = new Map<string, Runner[]>();
  /** Consumers that take no more tasks, and perhaps still run some. */
  private readonly leaving = new Set<Runner>();
  private readonly windows = new Map<string, RateWindow>();
  /** Queues that have perhaps something to hand out. */
  private readonly woken = new Set<string>();
  /** Queues whose rate limit is used up, with the time at which the next task may start, and the length of the period. */
  private readonly limited = new Map<string, { readonly at: number; readonly per: number }>();
  private timer: { readonly at: number; readonly remove: () => void } | undefined;

  constructor(
    private readonly store: TaskStore,
    private readonly clock: Clock,
    private readonly settings: SettingsByQueue,
  ) {}

  /** Milliseconds until the rate limit of a queue allows the next start. */
  limitedFor(queue: string): number {
    return Math.max((this.limited.get(queue)?.at ?? 0) - this.clock.now(), 0);
  }

  add(consumer: Runner): void {
    const known = this.consumers.get(consumer.queue) ?? [];
    this.consumers.set(consumer.queue, [...known, consumer]);
    this.wake(consumer.queue);
    this.setTimer();
  }

  remove(consumer: Runner): void {
    this.leaving.add(consumer);
    const rest = (this.consumers.get(consumer.queue) ?? []).filter((other) => other !== consumer);
    if (rest.length > 0) this.consumers.set(consumer.queue, rest);
    else this.consumers.delete(consumer.queue);
    this.setTimer();
  }

  /** A consumer that was removed runs nothing any more. */
  hasLeft(consumer: Runner): void {
    this.leaving.delete(consumer);
    this.wake(consumer.queue);
  }

  /** Called when a queue has got a task, or a consumer of it a free place. */
  wake(queue: string): void {
    if (!this.consumers.has(queue)) return;
    if (this.woken.size === 0) setImmediate(() => this.dispatchWoken());
    this.woken.add(queue);
  }

  /** Called when the settings of a queue changed. @param limitIsGone the starts of the current period count no more */
  settingsChanged(queue: string, limitIsGone: boolean): void {
    if (limitIsGone) this.windows.delete(queue);
    this.limited.delete(queue);
    this.wake(queue);
  }

  /** Sets the timer to the next time at which a task is due, while there is a consumer. */
  setTimer(): void {
    const at = Math.min(this.store.nextDue ?? Infinity, ...Array.from(this.limited.values(), (limit) => limit.at));
    if (this.timer && (this.timer.at > at || this.consumers.size === 0)) {
      this.timer.remove();
      this.timer = undefined;
    }
    if (this.timer || at === Infinity || this.consumers.size === 0) return;
    this.timer = { at, remove: this.clock.setTimer(() => this.onTimer(), Math.max(at - this.clock.now(), 0)) };
  }

  private onTimer(): void {
    this.timer = undefined;
    this.store.queueDue();
    const now = this.clock.now();
    for (const [queue, { at, per }] of this.limited) {
      // A time that is further away than the length of a period: the clock was put back.
      if (at > now && at <= now + per) continue;
      this.limited.delete(queue);
      this.wake(queue);
    }
    this.setTimer();
  }

  private dispatchWoken(): void {
    const queues = [...this.woken];
    this.woken.clear();
    for (const queue of queues) this.dispatch(queue);
  }

  private dispatch(queue: string): void {
    for (let task = this.store.next(queue); task; task = this.store.next(queue)) {
      const consumer = this.hasPlace(queue) ? this.freeConsumer(queue) : undefined;
      if (!consumer || !this.mayStart(task, consumer)) return;
      consumer.run(task);
    }
  }

  isPaused(queue: string): boolean {
    return this.settings.get(queue)?.paused ?? false;
  }

  /** The global concurrency of a queue; `undefined` for none. */
  limitOf(queue: string): number | undefined {
    const { globalConcurrency, declaredConcurrency } = this.settings.get(queue) ?? NO_SETTINGS;
    return globalConcurrency?.value ?? declaredConcurrency ?? undefined;
  }

  /**
   * Whether the global concurrency counts runs, which take places of their own: not while one of the consumers runs tasks one by one,
   * without places.
   */
  countsRuns(queue: string): boolean {
    for (const consumer of this.leaving) if (consumer.queue === queue && !consumer.options.countsRuns) return false;
    return this.consumers.get(queue)?.every(({ options }) => options.countsRuns) ?? false;
  }

  /** Whether as many tasks run as the global concurrency allows. */
  isMaxed(queue: string): boolean {
    const limit = this.limitOf(queue);
    return limit !== undefined && this.store.countRunning(queue) >= limit && !this.countsRuns(queue);
  }

  /** Whether the settings of the queue let another task start. */
  private hasPlace(queue: string): boolean {
    return !this.isPaused(queue) && !this.isMaxed(queue);
  }

  /** The next consumer with a free place: one after the other. */
  private freeConsumer(queue: string): Runner | undefined {
    const consumers = this.consumers.get(queue) ?? [];
    const index = consumers.findIndex(({ hasFreePlace }) => hasFreePlace);
    const consumer = consumers[index];
    if (!consumer || consumers.length === 1) return consumer;
    consumers.splice(index, 1);
    consumers.push(consumer);
    return consumer;
  }

  /** The task did not run, so it does not count towards the limit. */
  giveBackStart({ queue, startedAt }: StoredTask): void {
    if (this.windows.get(queue)?.giveBack(startedAt ?? 0)) this.wake(queue);
  }

  /** What is only cleared away does not count towards the limit. */
  private mayStart(task: StoredTask, { queue, options }: Runner): boolean {
    const rateLimit = this.settings.get(queue)?.rateLimit?.value ?? options.rateLimit;
    const now = this.clock.now();
    if (!rateLimit || hasExpiredUnstarted(task, now)) return true;
    let window = this.windows.get(queue);
    if (!window) this.windows.set(queue, (window = new RateWindow()));
    const nextStart = window.nextStart(rateLimit, now);
    if (nextStart > now) {
      this.limited.set(queue, { at: nextStart, per: rateLimit.per });
      this.setTimer();
      return false;
    }
    window.count(rateLimit, now);
    return true;
  }
}
