import type { ScheduleStore } from '../engine/ports/schedule-store.js';
import { readEnd, readManualRun, readRun, readSkip, readVersion } from './read-runs.js';
import { readSchedule } from './read-schedule.js';
import type { Schedule, AtTick } from './schedule.js';
import { textOf } from './stored-record.js';
import {
  keys,
  parseKey,
  type StoredEnd,
  type StoredManualRun,
  type StoredPause,
  type StoredRun,
  type StoredSchedule,
  type StoredSkip,
  type StoredVersion,
} from './stored-schedule.js';
import { Timetables } from './timetables.js';

/**
 * Milliseconds for which the record of a handled tick is kept, although a later tick has been handled. No process runs
 * a tick older than this without reading the whole store first (see schedule-clock.ts), so no process misses the
 * record.
 */
const KEEP_TICKS = 5 * 60_000;

/** The content of the store. */
export interface Snapshot {
  readonly schedules: ReadonlyMap<string, Schedule>;
  readonly versions: readonly KnownVersion[];
  /** Keys that no process needs any more. */
  readonly outdated: readonly string[];
}

export interface KnownVersion extends StoredVersion {
  readonly queue: string;
  readonly fingerprint: string;
}

/** A tick for which a task has to be enqueued. */
export interface DueTick {
  readonly schedule: Schedule;
  readonly tick: number;
}

/** Reads and writes schedules. It caches nothing that is stored: every read returns what the store has now. */
export class ScheduleBook {
  private readonly timetables = new Timetables();

  constructor(
    private readonly store: ScheduleStore,
    private readonly now: () => number,
  ) {}

  async read(): Promise<Snapshot> {
    return parseSnapshot(await this.store.all(), this.timetables, this.now());
  }

  async get(id: string): Promise<Schedule | undefined> {
    return (await this.read()).schedules.get(id);
  }

  /**
   * The due ticks that no process has handled yet. Records the handled ones in their schedules.
   *
   * @returns `undefined` when a schedule or its pause has changed since it was read: the caller has to read again
   */
  async findUnhandled(due: readonly DueTick[]): Promise<DueTick[] | undefined> {
    const wanted = due.flatMap(({ schedule: { id }, tick }) => [
      keys.schedule(id),
      keys.pause(id),
      keys.run(id, tick),
      keys.skip(id, tick),
    ]);
    const texts = await this.store.get(wanted);
    const unhandled: DueTick[] = [];
    for (const [index, { schedule, tick }] of due.entries()) {
      const [stored, pause, run, skip] = texts.slice(index * 4, index * 4 + 4);
      if (stored !== schedule.texts?.schedule || pause !== schedule.texts?.pause) return undefined;
      if (run !== undefined) recordRun(schedule, tick, run);
      else if (skip !== undefined) recordSkip(schedule, tick, skip);
      else unhandled.push({ schedule, tick });
    }
    return unhandled;
  }

  /** Stores that ticks were handled, then records it in their schedules. */
  async recordTicks(
    ticks: readonly { schedule: Schedule; run?: AtTick<StoredRun>; skip?: AtTick<StoredSkip> }[],
  ): Promise<void> {
    const texts: Record<string, string> = {};
    for (const { schedule, run, skip } of ticks) {
      if (run) texts[keys.run(schedule.id, run.tick)] = textOf(withoutTick(run));
      if (skip) texts[keys.skip(schedule.id, skip.tick)] = textOf(withoutTick(skip));
    }
    await this.store.set(texts);
    for (const { schedule, run, skip } of ticks) {
      if (run) schedule.recordRun(run);
      if (skip) schedule.recordSkip(skip);
    }
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

  async putPause(id: string, pause: StoredPause): Promise<void> {
    await this.store.set({ [keys.pause(id)]: textOf(pause) });
  }

  async removePause(id: string): Promise<void> {
    await this.store.delete([keys.pause(id)]);
  }

  async putVersions(versions: readonly KnownVersion[]): Promise<void> {
    await this.store.set(
      Object.fromEntries(
        versions.map(({ queue, fingerprint, since, seen }) => [
          keys.version(queue, fingerprint),
          textOf({ since, seen }),
        ]),
      ),
    );
  }

  async forgetVersions(versions: readonly KnownVersion[]): Promise<void> {
    await this.deleteKeys(versions.map(({ queue, fingerprint }) => keys.version(queue, fingerprint)));
  }

  /** Deletes schedules with everything that is stored about them. */
  async remove(ids: ReadonlySet<string>): Promise<void> {
    const all = await this.store.all();
    await this.deleteKeys(
      [...all.keys()].filter((key) => {
        const parsed = parseKey(key);
        return parsed !== undefined && parsed.kind !== 'version' && ids.has(parsed.id);
      }),
    );
  }

  async deleteKeys(outdated: readonly string[]): Promise<void> {
    if (outdated.length > 0) await this.store.delete(outdated);
  }
}

function parseSnapshot(texts: ReadonlyMap<string, string>, timetables: Timetables, now: number): Snapshot {
  const schedules = new Map<string, Schedule>();
  const versions: KnownVersion[] = [];
  const entries = [...texts].flatMap(([key, text]) => {
    const parsed = parseKey(key);
    return parsed ? [{ key, text, parsed }] : [];
  });
  for (const { parsed, text } of entries) {
    if (parsed.kind !== 'schedule') continue;
    const { id } = parsed;
    schedules.set(id, readSchedule(id, { schedule: text, pause: texts.get(keys.pause(id)) }, timetables));
  }
  for (const { parsed, text } of entries) {
    if (parsed.kind === 'version') {
      const version = readVersion(text);
      if (version) versions.push({ ...version, queue: parsed.queue, fingerprint: parsed.fingerprint });
    } else {
      const schedule = schedules.get(parsed.id);
      if (schedule) recordEntry(schedule, parsed, text);
    }
  }
  const outdated = entries.filter(({ parsed }) => isOutdated(parsed, schedules, now)).map(({ key }) => key);
  return { schedules, versions, outdated };
}

/** Records in a schedule what one entry of the store contains about it. */
function recordEntry(
  schedule: Schedule,
  parsed: Exclude<ReturnType<typeof parseKey>, undefined | { kind: 'version' }>,
  text: string,
): void {
  switch (parsed.kind) {
    case 'manual':
      schedule.manual = readManualRun(text);
      break;
    case 'end':
      schedule.end = readEnd(text);
      break;
    case 'run':
      recordRun(schedule, parsed.tick, text);
      break;
    case 'skip':
      recordSkip(schedule, parsed.tick, text);
      break;
    // `readSchedule` reads these two.
    case 'schedule':
    case 'pause':
      break;
  }
}

/** The key says that the tick was handled, also when the record cannot be read. */
function recordRun(schedule: Schedule, tick: number, text: string): void {
  const run = readRun(text);
  if (run) schedule.recordRun({ ...run, tick });
  else schedule.recordHandled(tick);
}

function recordSkip(schedule: Schedule, tick: number, text: string): void {
  const skip = readSkip(text);
  if (skip) schedule.recordSkip({ ...skip, tick });
  else schedule.recordHandled(tick);
}

/** Whether a key is the record of a handled tick that no process reads any more: a later one is known. */
function isOutdated(
  parsed: NonNullable<ReturnType<typeof parseKey>>,
  schedules: ReadonlyMap<string, Schedule>,
  now: number,
): boolean {
  if (parsed.kind !== 'run' && parsed.kind !== 'skip') return false;
  if (parsed.tick > now - KEEP_TICKS) return false;
  const latest = schedules.get(parsed.id)?.[parsed.kind];
  return !latest || parsed.tick < latest.tick;
}

function withoutTick<T extends { readonly tick: number }>({ tick: _tick, ...rest }: T): Omit<T, 'tick'> {
  return rest;
}
