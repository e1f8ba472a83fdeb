import type { ScheduleStore } from '../engine/ports/schedule-store.js';
import type { Schedule } from './schedule.js';
import {
  PARTS,
  recordRun,
  recordSkip,
  toSchedule,
  toSnapshot,
  type KnownVersion,
  type PartTexts,
  type Schedules,
  type Snapshot,
} from './snapshot.js';
import { textOf } from './stored-record.js';
import {
  keys,
  parseKey,
  type AtTick,
  type StoredEnd,
  type StoredLast,
  type StoredManualRun,
  type StoredPause,
  type StoredRun,
  type StoredSchedule,
  type StoredSkip,
} from './stored-schedule.js';
import { Timetables } from './timetables.js';

/** A tick for which a task has to be enqueued. */
export interface DueTick {
  readonly schedule: Schedule;
  readonly tick: number;
}

/** A tick that was handled: by a run, or because it was skipped. */
export interface HandledTick {
  readonly schedule: Schedule;
  readonly run?: AtTick<StoredRun>;
  readonly skip?: AtTick<StoredSkip>;
}

/** Runs one call to the store. */
type Call = <T>(call: () => Promise<T>) => Promise<T>;

const NONE: Schedules = new Map();

/**
 * Reads and writes schedules. It caches nothing that is stored: every read returns what the store has now. A call that
 * concerns one schedule costs the same however many there are.
 */
export class ScheduleBook {
  private readonly timetables = new Timetables();

  constructor(
    private readonly store: ScheduleStore,
    private readonly now: () => number,
  ) {}

  /**
   * Reads everything.
   *
   * @param known what this process has read before; unchanged schedules stay the same objects
   * @param call runs each call to the store
   */
  async read(known = NONE, call: Call = (run) => run()): Promise<Snapshot> {
    const texts = new Map<string, string>();
    let cursor: string | undefined;
    do {
      const page = await call(() => this.store.scan(cursor));
      for (const [key, text] of page.texts) texts.set(key, text);
      cursor = page.next;
    } while (cursor !== undefined);
    return toSnapshot(texts, this.timetables, known, this.now());
  }

  async get(id: string): Promise<Schedule | undefined> {
    return (await this.getMany([id])).get(id);
  }

  /** The schedules with these ids, in their order, without those that do not exist. */
  async getMany(ids: readonly string[], known = NONE): Promise<Schedules> {
    const texts = await this.store.get(ids.flatMap((id) => PARTS.map((part) => keys[part](id))));
    const found = new Map<string, Schedule>();
    for (const [index, id] of ids.entries()) {
      const parts = Object.fromEntries(PARTS.map((part, place) => [part, texts[index * PARTS.length + place]]));
      const schedule = toSchedule(id, parts as PartTexts, this.timetables, known.get(id));
      if (schedule) found.set(id, schedule);
    }
    return found;
  }

  /** The first ids behind `after`, sorted, at most `limit`. */
  async idsAfter(after: string, limit: number): Promise<string[]> {
    let ids: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.store.scan(cursor);
      const found = new Set(ids);
      for (const key of page.texts.keys()) {
        const parsed = parseKey(key);
        if (parsed?.kind === 'schedule' && parsed.id > after) found.add(parsed.id);
      }
      ids = [...found].toSorted((a, b) => (a < b ? -1 : 1)).slice(0, limit);
      cursor = page.next;
    } while (cursor !== undefined);
    return ids;
  }

  /**
   * The due ticks that no process has handled yet. Records the handled ones in their schedules.
   *
   * @returns also the schedules that have changed since they were read, without their ticks: the caller has to read them
   * again
   */
  async findUnhandled(due: readonly DueTick[]): Promise<{ unhandled: DueTick[]; changed: Set<Schedule> }> {
    const wanted = due.flatMap(({ schedule: { id }, tick }) => [
      keys.schedule(id),
      keys.pause(id),
      keys.run(id, tick),
      keys.skip(id, tick),
    ]);
    const texts = await this.store.get(wanted);
    const unhandled: DueTick[] = [];
    const changed = new Set<Schedule>();
    for (const [index, { schedule, tick }] of due.entries()) {
      const [stored, pause, run, skip] = texts.slice(index * 4, index * 4 + 4);
      if (stored !== schedule.texts?.schedule || pause !== schedule.texts?.pause) changed.add(schedule);
      else if (run !== undefined) recordRun(schedule, tick, run);
      else if (skip !== undefined) recordSkip(schedule, tick, skip);
      else unhandled.push({ schedule, tick });
    }
    return { unhandled, changed };
  }

  /** Stores that ticks were handled, then records it in their schedules. */
  async recordTicks(ticks: readonly HandledTick[]): Promise<void> {
    const texts: Record<string, string> = {};
    const latest = new Map<Schedule, LatestTicks>();
    for (const { schedule, run, skip } of ticks) {
      if (run) texts[keys.run(schedule.id, run.tick)] = textOf(withoutTick(run));
      if (skip) texts[keys.skip(schedule.id, skip.tick)] = textOf(withoutTick(skip));
      const before = latest.get(schedule) ?? schedule;
      latest.set(schedule, {
        run: later(before.run, run),
        skip: later(before.skip, skip),
        runs: Math.max(before.runs, run?.count ?? 0),
      });
    }
    for (const [schedule, ofSchedule] of latest) texts[keys.last(schedule.id)] = textOf(toLast(schedule, ofSchedule));
    await this.store.set(texts);
    for (const { schedule, run, skip } of ticks) {
      if (run) schedule.recordRun(run);
      if (skip) schedule.recordSkip(skip);
    }
  }

  /** Stores the latest ticks of these schedules as this process knows them. */
  async recordLast(schedules: readonly Schedule[]): Promise<void> {
    await this.store.set(Object.fromEntries(schedules.map((one) => [keys.last(one.id), textOf(toLast(one, one))])));
  }

  async recordManualRun(id: string, run: StoredManualRun): Promise<void> {
    await this.store.set({ [keys.manual(id)]: textOf(run) });
  }

  async recordEnds(ends: readonly { id: string; end: StoredEnd }[]): Promise<void> {
    await this.store.set(Object.fromEntries(ends.map(({ id, end }) => [keys.end(id), textOf(end)])));
  }

  async put(schedules: readonly StoredSchedule[]): Promise<void> {
    await this.store.set(Object.fromEntries(schedules.map((stored) => [keys.schedule(stored.id), textOf(stored)])));
  }

  /** Gives a schedule what is stored about another one, except its settings: its pause and its last runs. */
  async inherit(id: string, from: string): Promise<void> {
    const parts = PARTS.filter((part) => part !== 'schedule');
    const texts = await this.store.get(parts.map((part) => keys[part](from)));
    const known = parts.flatMap((part, place) => {
      const text = texts[place];
      return text === undefined ? [] : [[keys[part](id), text] as const];
    });
    if (known.length > 0) await this.store.set(Object.fromEntries(known));
  }

  async putPause(id: string, pause: StoredPause): Promise<void> {
    await this.store.set({ [keys.pause(id)]: textOf(pause) });
  }

  async removePause(id: string): Promise<void> {
    await this.store.delete([keys.pause(id)]);
  }

  async putVersions(versions: readonly KnownVersion[]): Promise<void> {
    await this.store.set(
      Object.fromEntries(
        versions.map(({ queue, fingerprint, since, seen, code }) => [
          keys.version(queue, fingerprint),
          textOf({ since, seen, code }),
        ]),
      ),
    );
  }

  async forgetVersions(versions: readonly KnownVersion[]): Promise<void> {
    await this.deleteKeys(versions.map(({ queue, fingerprint }) => keys.version(queue, fingerprint)));
  }

  /**
   * Deletes schedules with everything that is stored about them. A reading of the whole store finds the records of their
   * earlier ticks, which are outdated then.
   */
  async remove(schedules: Iterable<Schedule>): Promise<void> {
    await this.deleteKeys(
      Array.from(schedules).flatMap(({ id, run, skip }) => [
        ...PARTS.map((part) => keys[part](id)),
        ...(run ? [keys.run(id, run.tick)] : []),
        ...(skip ? [keys.skip(id, skip.tick)] : []),
      ]),
    );
  }

  async deleteKeys(outdated: readonly string[]): Promise<void> {
    if (outdated.length > 0) await this.store.delete(outdated);
  }

  /** Tells all processes that these schedules changed. The message may fail: they read everything again before long. */
  async announce(ids: Iterable<string>): Promise<void> {
    await this.store.announce(Array.from(ids, keys.schedule)).catch(() => undefined);
  }
}

type LatestTicks = Pick<Schedule, 'run' | 'skip' | 'runs'>;

/** A late tick may have a higher count than a later tick, and runs before the timing changed do not count. */
function toLast({ stored }: Schedule, { run, skip, runs }: LatestTicks): StoredLast {
  return { run: run && run.tick > stored.since ? { ...run, count: runs } : run, skip };
}

function later<T extends AtTick<object>>(one: T | undefined, other: T | undefined): T | undefined {
  return one && other && one.tick > other.tick ? one : (other ?? one);
}

function withoutTick<T extends { readonly tick: number }>({ tick: _tick, ...rest }: T): Omit<T, 'tick'> {
  return rest;
}
