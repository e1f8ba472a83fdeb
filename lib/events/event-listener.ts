import { setImmediate } from 'node:timers';
import type { Logger } from '@nestjs/common';
import type { TaskChange } from '../engine/ports/event-port.js';
import { toFailure } from '../workers/failure.js';
import type { CheckedSubscription } from './subscription.js';

/** Events of one listener that are under way at the same time. */
const AT_ONCE = 100;
/** Events of one listener that wait for one of these places. */
const MOST_WAITING = 10_000;
/** Milliseconds between two warnings about events that were dropped. */
const WARN_AGAIN_AFTER = 60_000;

/** An event that a listener has not got yet. */
interface Waiting {
  readonly change: TaskChange;
  /** The listeners whose code led to this event, one inside the other. */
  readonly chain: ReadonlySet<EventListener>;
}

export interface EventListenerDeps {
  /** `Class.method`, for log lines. */
  readonly name: string;
  readonly subscriptions: readonly CheckedSubscription[];
  /** Calls the method with the event of this change. */
  readonly call: (change: TaskChange, chain: ReadonlySet<EventListener>) => Promise<unknown>;
  readonly logger: Pick<Logger, 'warn' | 'error'>;
}

/** One method with `@OnTask()`, and the events that it has not dealt with. Whatever the method does, nothing else waits for it. */
export class EventListener {
  /** In the order in which they came. */
  private readonly waiting = new Set<Waiting>();
  private readonly running = new Set<Promise<void>>();
  private isScheduled = false;
  private dropped = 0;
  private warnedAt = -Infinity;
  private onIdle: (() => void)[] = [];

  constructor(private readonly deps: EventListenerDeps) {}

  get name(): string {
    return this.deps.name;
  }

  accepts(change: TaskChange): boolean {
    return this.deps.subscriptions.some(({ accepts }) => accepts(change));
  }

  add(change: TaskChange, chain: ReadonlySet<EventListener>): void {
    if (this.waiting.size >= MOST_WAITING) this.dropOldest();
    this.waiting.add({ change, chain });
    this.schedule();
  }

  /** The events that wait or are under way. */
  get unfinished(): number {
    return this.waiting.size + this.running.size;
  }

  /** Resolves once no event waits or is under way. */
  idle(): Promise<void> {
    return this.unfinished === 0 ? Promise.resolve() : new Promise((resolve) => this.onIdle.push(resolve));
  }

  /** Drops what waits, and no longer counts what is under way. */
  giveUp(): void {
    this.waiting.clear();
    this.running.clear();
    this.resolveIdle();
  }

  /** A turn of the event loop of its own keeps the method out of the code that stored the change. */
  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      this.start();
    });
  }

  private start(): void {
    // A method that ends at once must not keep the event loop from other work either.
    for (let started = 0; started < AT_ONCE && this.running.size < AT_ONCE; started++) {
      const [next] = this.waiting;
      if (!next) return;
      this.waiting.delete(next);
      this.run(next);
    }
    if (this.running.size < AT_ONCE && this.waiting.size > 0) this.schedule();
  }

  private run({ change, chain }: Waiting): void {
    const call = this.call(change, chain).finally(() => {
      if (!this.running.delete(call)) return;
      if (this.waiting.size > 0) this.schedule();
      else if (this.running.size === 0) this.resolveIdle();
    });
    this.running.add(call);
  }

  private async call(change: TaskChange, chain: ReadonlySet<EventListener>): Promise<void> {
    try {
      await this.deps.call(change, chain);
    } catch (error) {
      const { type, record } = change;
      const { message, stack } = toFailure(error);
      this.log(
        'error',
        `Listener ${this.name} failed on "${type}" of task ${record.name} (${record.id}): ${message}`,
        stack,
      );
    }
  }

  private dropOldest(): void {
    for (const oldest of this.waiting) {
      this.waiting.delete(oldest);
      break;
    }
    this.dropped++;
    const now = performance.now();
    if (now - this.warnedAt < WARN_AGAIN_AFTER) return;
    this.warnedAt = now;
    this.log(
      'warn',
      `Listener ${this.name} is too slow: ${AT_ONCE} of its events are under way and ${MOST_WAITING} wait, so the oldest waiting ones ` +
        `are dropped (${this.dropped} so far). Let it do less, or enqueue a task for the work.`,
    );
  }

  private resolveIdle(): void {
    for (const resolve of this.onIdle.splice(0)) resolve();
  }

  /** A logger of the application that throws must not hurt. */
  private log(level: 'warn' | 'error', message: string, stack?: string): void {
    try {
      if (level === 'warn') this.deps.logger.warn(message);
      else this.deps.logger.error(message, stack);
    } catch {
      // There is no other place to report it to.
    }
  }
}
