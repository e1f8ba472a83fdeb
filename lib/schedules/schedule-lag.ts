import type { Engine } from '../engine/engine.js';
import { isAlive } from '../engine/ports/worker-registry.js';
import type { DueTick, ScheduleBook } from './schedule-book.js';
import type { ScheduleClock } from './schedule-clock.js';
import type { Schedule } from './schedule.js';

/** How late the runs of schedules are. A run is late from its tick until its task is enqueued. */
export interface ScheduleDelays {
  /** The largest delay in milliseconds of each queue that has a schedule; 0 when no run is late. */
  readonly byQueue: ReadonlyMap<string, number>;
  /** The schedules with a late run and the delay in milliseconds, the latest first. */
  readonly late: readonly { readonly id: string; readonly delay: number }[];
  /** The ids of the schedules that are broken. Those that a later version of this package has stored are not among them. */
  readonly broken: readonly string[];
}

export interface ScheduleLagDeps {
  readonly engine: Pick<Engine, 'workers' | 'now'>;
  readonly clock: Pick<ScheduleClock, 'watched'>;
  readonly book: Pick<ScheduleBook, 'read'>;
}

/** Measures how late the runs of schedules are: from memory in a process that runs tasks, from the store in every other. */
export class ScheduleLag {
  private reading: Promise<ScheduleDelays> | undefined;

  constructor(private readonly deps: ScheduleLagDeps) {}

  /**
   * The delays now. Callers of the same time share one reading of the store.
   *
   * @throws EngineUnavailableError
   */
  async read(): Promise<ScheduleDelays> {
    const watched = this.deps.clock.watched();
    if (watched) return this.delaysOf(watched.schedules, watched.due);
    this.reading ??= this.readStored().finally(() => (this.reading = undefined));
    return this.reading;
  }

  private async readStored(): Promise<ScheduleDelays> {
    const { book, engine } = this.deps;
    const [{ schedules }, workers] = await Promise.all([book.read(), engine.workers.list()]);
    const now = engine.now();
    // The worker that has watched for longest counts fewest ticks as missed. Without a worker, no tick is missed yet.
    const since = Math.min(
      ...workers
        .filter((worker) => isAlive(worker, now))
        .map(({ load, startedAt }) => load?.schedulesSince ?? startedAt),
    );
    const from = Number.isFinite(since) ? since : -Infinity;
    const due = [...schedules.values()].flatMap((schedule) =>
      schedule.due(now, from).map((tick) => ({ schedule, tick })),
    );
    return this.delaysOf(schedules.values(), due);
  }

  private delaysOf(schedules: Iterable<Schedule>, due: readonly DueTick[]): ScheduleDelays {
    const byQueue = new Map<string, number>();
    const broken: string[] = [];
    for (const schedule of schedules) {
      if (schedule.broken) {
        if (!schedule.broken.isNewer) broken.push(schedule.id);
      } else byQueue.set(schedule.stored.template.queue, 0);
    }
    const now = this.deps.engine.now();
    const late = new Map<string, number>();
    for (const { schedule, tick } of due) {
      const delay = Math.max(now - tick, 0);
      const { queue } = schedule.stored.template;
      byQueue.set(queue, Math.max(byQueue.get(queue) ?? 0, delay));
      late.set(schedule.id, Math.max(late.get(schedule.id) ?? 0, delay));
    }
    const latestFirst = [...late].toSorted(([, one], [, other]) => other - one);
    return { byQueue, late: latestFirst.map(([id, delay]) => ({ id, delay })), broken };
  }
}
