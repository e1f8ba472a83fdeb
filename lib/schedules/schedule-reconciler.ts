import { Logger } from '@nestjs/common';
import type { ScheduleStore } from '../engine/ports/schedule-store.js';
import { reconcile, type DeclaredSchedule } from './reconcile.js';
import type { ScheduleBook, Snapshot } from './schedule-book.js';

/** Several times in the life of a version: see reconcile.ts. */
const INTERVAL = 30_000;

/** Keeps the stored schedules in line with this process's decorators, and says now and then that it is there. */
export class ScheduleReconciler {
  private readonly logger = new Logger('TaskQueue');
  private present: number | undefined;
  private lastAt = -Infinity;
  private readonly complained = new Set<string>();

  constructor(
    private readonly book: ScheduleBook,
    private readonly store: ScheduleStore,
    private readonly declared: () => readonly DeclaredSchedule[],
    /** The queues this process consumes. */
    private readonly queues: () => Iterable<string>,
  ) {}

  /** Does what is to be done, if it is time. @returns whether a schedule was changed */
  async run(snapshot: Snapshot): Promise<boolean> {
    const now = Date.now();
    if (Math.abs(now - this.lastAt) < INTERVAL) return false;
    const plan = reconcile({
      declared: this.declared(),
      queues: this.queues(),
      snapshot,
      now,
      present: this.present,
    });
    await this.book.putVersions(plan.versions);
    await this.book.forgetVersions(plan.forget);
    if (plan.put.length > 0) await this.book.put(plan.put);
    if (plan.remove.size > 0) await this.book.remove(plan.remove);
    this.present ??= now;
    this.lastAt = now;
    for (const id of plan.taken) this.complain(id);
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

  private complain(id: string): void {
    if (this.complained.has(id)) return;
    this.complained.add(id);
    this.logger.error(
      `The schedule "${id}" of @Schedule() is not set, for one of that id was made at run time and is kept. Give the decorator another id, or remove the other: schedules.remove('${id}').`,
    );
  }
}

function list(what: string, ids: readonly string[]): string[] {
  return ids.length > 0 ? [`${what} ${ids.join(', ')}`] : [];
}
