import type { DeclaredCode } from '../engine/declared-code.js';
import { reconcile, type DeclaredSchedule, type ReconcilePlan, type TakenId } from './reconcile.js';
import type { ScheduleBook } from './schedule-book.js';
import type { KnownVersion, Schedules, Snapshot } from './snapshot.js';
import { PackageLogger } from '../package-logger.js';

/** Milliseconds between two signs of life: several in the time after which a version counts as not running. */
const INTERVAL = 30_000;
/** Milliseconds in which no process deletes a version that gave a sign of life; reconcile.ts has the exact time. */
const SURELY_KEPT = 10 * 60_000;
/** The number of lost schedules that a log line names. */
const NAMES = 10;

/**
 * Keeps the stored schedules in line with the decorators of this process, and stores a sign of life of this process's
 * version of the code.
 */
export class ScheduleReconciler {
  private readonly logger = new PackageLogger();
  private presentSince: number | undefined;
  private lastSign = -Infinity;
  private grownAt: number | undefined;
  private readonly reportedIds = new Set<string>();

  constructor(
    private readonly book: ScheduleBook,
    private readonly declared: () => readonly DeclaredSchedule[],
    /** The queues that this process consumes. */
    private readonly queues: () => Iterable<string>,
    private readonly now: () => number,
    /** What the code of this process declares. */
    private readonly code: () => DeclaredCode,
    /** The workers that run now. */
    private readonly workers: () => Promise<readonly DeclaredCode[]>,
    /** The ids that a declared schedule had under the earlier names of its task. */
    private readonly formerIds: (id: string) => readonly string[] = () => [],
  ) {}

  /**
   * A module that was loaded later has further schedules: this process has another version of the code from now on. The
   * next run compares at once.
   */
  grow(): void {
    this.lastSign = -Infinity;
    this.grownAt = this.now();
  }

  /**
   * @param remembered what this process knew before it read the snapshot
   * @returns the ids of the schedules that were changed
   */
  async run(snapshot: Snapshot, remembered: Schedules): Promise<readonly string[]> {
    const now = this.now();
    const input = {
      declared: this.declared(),
      queues: this.queues(),
      snapshot,
      remembered,
      now,
      code: this.code(),
      workers: [],
      presentSince: this.presentSince,
      grownAt: this.grownAt,
      formerIds: this.formerIds,
    };
    let plan = reconcile(input);
    // Only a change can concern another application. The workers are read after the schedules: one that has put a schedule
    // had published itself before.
    if (plan.put.length + plan.remove.size > 0) plan = reconcile({ ...input, workers: await this.workers() });
    const isLost = this.isLost(plan.versions, snapshot, now);
    if (isLost) this.reportLoss(snapshot.schedules, remembered);
    if (isLost || Math.abs(now - this.lastSign) >= INTERVAL) {
      await this.book.putVersions(plan.versions);
      await this.book.forgetVersions(plan.forget);
      this.lastSign = now;
    }
    const changed = await this.apply(plan, snapshot.schedules);
    this.presentSince ??= now;
    for (const taken of plan.taken) this.reportTakenId(taken);
    for (const contested of plan.contested) this.reportContested(contested);
    return changed;
  }

  private async apply(
    { put, pauses, remove, renamed }: ReconcilePlan,
    schedules: Schedules,
  ): Promise<readonly string[]> {
    const changed = [...put.map(({ id }) => id), ...remove];
    if (changed.length === 0) return changed;
    for (const { id, ...pause } of pauses) await this.book.putPause(id, pause);
    for (const { from, to } of renamed) await this.book.inherit(to, from);
    await this.book.put(put);
    await this.book.remove([...remove].flatMap((id) => schedules.get(id) ?? []));
    const known = new Set(renamed.flatMap(({ from, to }) => [from, to]));
    const others = (ids: readonly string[]) => ids.filter((id) => !known.has(id));
    const parts = [
      ...list('set', others(put.map(({ id }) => id))),
      ...list('removed', others([...remove])),
      ...list(
        'renamed',
        renamed.map(({ from, to }) => `${from} to ${to}`),
      ),
    ];
    this.logger.log(`Schedules: ${parts.join('; ')}.`);
    await this.book.announce(changed);
    return changed;
  }

  /** Whether the sign of life that this process stored not long ago is gone. */
  private isLost(own: readonly KnownVersion[], { versions }: Snapshot, now: number): boolean {
    if (own.length === 0 || now - this.lastSign > SURELY_KEPT) return false;
    return !own.some(({ queue, fingerprint }) =>
      versions.some((stored) => stored.queue === queue && stored.fingerprint === fingerprint),
    );
  }

  private reportLoss(schedules: Schedules, remembered: Schedules): void {
    const lost = [...remembered.values()].filter(({ id, stored }) => stored.source === 'runtime' && !schedules.has(id));
    const names = lost.slice(0, NAMES).map(({ id }) => id);
    if (lost.length > NAMES) names.push(`${lost.length - NAMES} more`);
    this.logger.warn(
      `The stored schedules were lost. Those of @Schedule() are set again.${
        names.length > 0
          ? ` Set those that were made at run time again with schedules.upsert(): ${names.join(', ')}.`
          : ''
      }`,
    );
  }

  private reportTakenId({ id, by }: TakenId): void {
    if (this.reportedIds.has(id)) return;
    this.reportedIds.add(id);
    const line = `The schedule "${id}" of a @Schedule() is not set, because`;
    if (by === 'runtime') {
      this.logger.error(
        `${line} a schedule with this id was created at run time and is kept. Give the decorator another id, or remove the other schedule: schedules.remove('${id}').`,
      );
      return;
    }
    this.logger.error(
      `${line} ${nameOf(by)}, whose workers run too, declares a schedule with this id. Give each application its own option prefix, or one of the schedules another id.`,
    );
  }

  private reportContested({ id, by }: TakenId): void {
    this.logger.warn(
      `The schedule "${id}" was removed, because this version of the code does not declare it, but a running worker of ${nameOf(by)} does. ` +
        'During a deployment that is an old worker. If it is another application, give each its own option prefix or application.',
    );
  }
}

function nameOf(by: TakenId['by']): string {
  return by === 'runtime' || by.application === undefined
    ? 'another application'
    : `the application "${by.application}"`;
}

function list(what: string, ids: readonly string[]): string[] {
  return ids.length > 0 ? [`${what} ${ids.join(', ')}`] : [];
}
