import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import type { ModuleRef } from '@nestjs/core';
import { endsWithin } from '../concurrency.js';
import type { EventPort, TaskChange, TaskChangeType } from '../engine/ports/event-port.js';
import { EventListener } from './event-listener.js';
import type { FoundListener, ListenerExplorer } from './listener-explorer.js';
import { instanceFor } from './listener-scope.js';
import { toEvent } from './task-event.js';
import { PackageLogger } from '../package-logger.js';

export interface TaskEventsDeps {
  readonly engine: EventPort;
  readonly explorer: Pick<ListenerExplorer, 'findNew'>;
  readonly moduleRef: ModuleRef;
}

/** The code of a listener that runs. */
interface ListenerRun {
  /** The task of its event. */
  readonly task: string;
  /** The listener, and those whose code led to its event. */
  readonly chain: ReadonlySet<EventListener>;
}

/** Milliseconds that listeners may go on after the application begins to close. */
const CLOSE_GRACE = 1_000;
const NO_LISTENER: ReadonlySet<EventListener> = new Set();

/**
 * Calls the methods with `@OnTask()`. It subscribes to the changes of the engine that a method wants, so an application without
 * such a method pays nothing.
 */
export class TaskEvents {
  private readonly logger = new PackageLogger();
  private readonly listeners: EventListener[] = [];
  /** The types that a listener wants. */
  private readonly types = new Set<TaskChangeType>();
  private readonly current = new AsyncLocalStorage<ListenerRun>();
  /** Listeners run outside of the task or request whose code stored the change: they must not act for it. */
  private readonly outside = new AsyncResource('TaskEvents');
  private unsubscribe: () => void = () => undefined;
  private isClosed = false;

  constructor(private readonly deps: TaskEventsDeps) {}

  /**
   * Finds the listeners that are not known yet.
   *
   * @throws ConfigurationError when a type of event or a filter is wrong
   */
  load(): void {
    const found = this.deps.explorer.findNew();
    if (found.length === 0) return;
    for (const listener of found) {
      this.listeners.push(this.toListener(listener));
      for (const { types } of listener.subscriptions) for (const type of types) this.types.add(type);
    }
    this.unsubscribe();
    this.unsubscribe = this.deps.engine.onTaskChange(this.types, (change) => this.onChange(change));
  }

  /** The task whose event led to the code that runs now; `undefined` outside of listeners. */
  currentTask(): string | undefined {
    return this.current.getStore()?.task;
  }

  /** Runs code as if no listener had called it. */
  outsideOfListeners<T>(body: () => T): T {
    return this.current.run(undefined as never, body);
  }

  /** Resolves once no listener runs, or after `limit` milliseconds: what runs then is not waited for again. */
  async settle(limit: number): Promise<void> {
    if (this.unfinished().length === 0 || (await endsWithin(this.idle(), limit))) return;
    for (const listener of this.unfinished()) listener.giveUp();
  }

  /** Gives the running listeners a moment to end. Called after the workers have stopped. */
  async stop(): Promise<void> {
    if (this.unfinished().length === 0 || (await endsWithin(this.idle(), CLOSE_GRACE))) return;
    const names = this.unfinished().map((listener) => `${listener.name} (${listener.unfinished} events)`);
    this.logger.warn(
      `Closing no longer waits for listeners that have not ended after ${CLOSE_GRACE} ms: ${names.join(', ')}.`,
    );
    for (const listener of this.unfinished()) listener.giveUp();
  }

  close(): void {
    this.isClosed = true;
    this.unsubscribe();
  }

  private async idle(): Promise<void> {
    while (this.unfinished().length > 0) await Promise.all(this.unfinished().map((listener) => listener.idle()));
  }

  private unfinished(): EventListener[] {
    return this.listeners.filter(({ unfinished }) => unfinished > 0);
  }

  private onChange(change: TaskChange): void {
    if (this.isClosed) return;
    const chain = change.type === 'enqueued' ? (this.current.getStore()?.chain ?? NO_LISTENER) : NO_LISTENER;
    for (const listener of this.listeners)
      if (!chain.has(listener) && listener.accepts(change)) listener.add(change, chain);
  }

  private toListener({ name, provider, method, subscriptions }: FoundListener): EventListener {
    const { moduleRef } = this.deps;
    const call = async (change: TaskChange) => {
      const event = toEvent(change);
      const instance = (await instanceFor(provider, event, moduleRef)) as Record<
        PropertyKey,
        (event: unknown) => unknown
      >;
      return instance[method]?.(event);
    };
    const listener: EventListener = new EventListener({
      name,
      subscriptions,
      logger: this.logger,
      call: (change, chain) => {
        const run = { task: change.record.id, chain: new Set([...chain, listener]) };
        return this.outside.runInAsyncScope(() => this.current.run(run, () => call(change)));
      },
    });
    return listener;
  }
}
