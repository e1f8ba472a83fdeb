import { Logger } from '@nestjs/common';
import type { ScheduleStore } from '../engine/ports/schedule-store.js';
import { reconcile, type DeclaredSchedule } from './reconcile.js';
import type { ScheduleBook, Snapshot } from './schedule-book.js';

/** Milliseconds between two runs: several in the time after which a version counts as not running (reconcile.ts). */
const INTERVAL = 30_000;

/**
 * Keeps the stored schedules in line with the decorators of this process, and stores a sign of life of this process's
 * version of the code.
 */
export class ScheduleReconciler {
  private readonly logger = new Logger('TaskQueue');
  private presentSince: number | undefined;
  private lastAt = -Infinity;
  private grownAt: number | undefined;
  private readonly reportedIds = new Set<string>();

  constructor(
    private readonly book: ScheduleBook,
    private readonly store: ScheduleStore,
    private readonly declared: () => readonly DeclaredSchedule[],
    /** The queues that this process consumes. */
    private readonly queues: () => Iterable<string>,
    private readonly now: () => number,
  ) {}

  /**
   * A module that was loaded later has further schedules: this process has another version of the code from now on. The
   * next run compares at once.
   */
  grow(): void {
    this.lastAt = -Infinity;
    this.grownAt = this.now();
  }

  /** Does nothing within 30 s after the last run. @returns whether a schedule was changed */
  async run(snapshot: Snapshot): Promise<boolean> {
    const now = this.now();
    if (Math.abs(now - this.lastAt) < INTERVAL) return false;
    const plan = reconcile({
      declared: this.declared(),
      queues: this.queues(),
      snapshot,
      now,
      presentSince: this.presentSince,
      grownAt: this.grownAt,
    });
    await this.book.putVersions(plan.versions);
    await this.book.forgetVersions(plan.forget);
    if (plan.put.length > 0) await this.book.put(plan.put);
    if (plan.remove.size > 0) await this.book.remove(plan.remove);
    this.presentSince ??= now;
    this.lastAt = now;
    for (const id of plan.taken) this.reportTakenId(id);
    if (plan.put.length + plan.remove.size === 0) return false;
    this.logger.log(
      `Schedules: ${[
        ...list(
          'set',
          plan.put.map(({ id }) => id),
        ),
        ...list('removed', [...plan.remove]),
      ].join('; ')}.`,
    );
    await this.store.announce().catch(() => undefined);
    return true;
  }

  private reportTakenId(id: string): void {
    if (this.reportedIds.has(id)) return;
    this.reportedIds.add(id);
    this.logger.error(
      `The schedule "${id}" of a @Schedule() is not set, because a schedule with this id was created at run time and is kept. Give the decorator another id, or remove the other schedule: schedules.remove('${id}').`,
    );
  }
}

function list(what: string, ids: readonly string[]): string[] {
  return ids.length > 0 ? [`${what} ${ids.join(', ')}`] : [];
}
