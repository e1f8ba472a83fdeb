import type { MemoryEngine } from '../engine/memory/memory-engine.js';
import type { InstrumentedEnqueue } from '../engine/instrumented-enqueue.js';
import type { DeclaredSchedules } from '../schedules/declared-schedules.js';
import type { DueTick, ScheduleBook } from '../schedules/schedule-book.js';
import { ScheduleReconciler } from '../schedules/schedule-reconciler.js';
import type { Schedules } from '../schedules/snapshot.js';
import { TickRunner } from '../schedules/tick-runner.js';

export interface ScheduleTicksDeps {
  readonly engine: MemoryEngine;
  readonly calls: Pick<InstrumentedEnqueue, 'enqueue'>;
  readonly book: ScheduleBook;
  readonly declared: DeclaredSchedules;
  /** The queues that have a task in the application. */
  readonly queues: () => Iterable<string>;
}

/** Nothing is remembered between two reads: each one sees what is stored. */
const NOTHING_KNOWN: Schedules = new Map();

/** Runs the ticks of schedules one after the other, as a test asks for it. */
export class ScheduleTicks {
  private readonly reconciler: ScheduleReconciler;
  private readonly runner: TickRunner;
  /** Ticks after this time run. Those before it were missed, and `catchUp` decides about them. */
  private watchingSince: number | undefined;

  constructor(private readonly deps: ScheduleTicksDeps) {
    const { engine, book, calls, declared, queues } = deps;
    this.reconciler = new ScheduleReconciler(
      book,
      () => declared.list(),
      queues,
      () => engine.now(),
      () => ({ application: undefined, tasks: [], schedules: declared.list().map(({ id }) => id) }),
      // An application under test has its store for itself.
      async () => [],
    );
    this.runner = new TickRunner(engine, book, calls);
  }

  /** Stores the schedules of decorators that are not stored yet: their ticks count from now on. */
  async prepare(): Promise<Schedules> {
    const { book, engine } = this.deps;
    this.watchingSince ??= engine.now();
    const snapshot = await book.read();
    const changed = await this.reconciler.run(snapshot, NOTHING_KNOWN);
    return changed.length > 0 ? (await book.read()).schedules : snapshot.schedules;
  }

  /** Enqueues the task of the tick that was due first. @returns whether there was one */
  async runNext(): Promise<boolean> {
    const { book } = this.deps;
    const schedules = await this.prepare();
    for (let next = this.firstDue(schedules); next; next = this.firstDue(schedules)) {
      const { unhandled, changed } = await book.findUnhandled([next]);
      if (changed.size > 0) return this.runNext();
      if (unhandled.length === 0) continue;
      const { isComplete, outage } = await this.runner.run(unhandled);
      if (outage) throw outage;
      return isComplete;
    }
    return false;
  }

  private firstDue(schedules: Schedules): DueTick | undefined {
    const now = this.deps.engine.now();
    let first: DueTick | undefined;
    for (const schedule of schedules.values()) {
      const [tick] = schedule.due(now, this.watchingSince ?? now);
      if (tick !== undefined && (!first || tick < first.tick)) first = { schedule, tick };
    }
    return first;
  }
}
