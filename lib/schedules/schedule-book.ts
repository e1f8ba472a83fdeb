import { isDeepStrictEqual } from 'node:util';
import type { ScheduleStore } from '../engine/ports/schedule-store.js';
import { Schedule, type AtTick } from './schedule.js';
import {
  keys,
  parseKey,
  parseText,
  type StoredEnd,
  type StoredManualRun,
  type StoredPause,
  type StoredRun,
  type StoredSchedule,
  type StoredSkip,
  type StoredVersion,
} from './stored-schedule.js';
import { timetableOf, type ParsedTiming, type Timetable } from './timetable.js';

/**
 * What became of a tick is kept at least this long, though a later one is known: no process acts on a tick that is
 * older without having read everything first (see schedule-clock.ts).
 */
const KEEP_TICKS = 5 * 60_000;

/** Everything that stands in the store. */
export interface Snapshot {
  readonly schedules: ReadonlyMap<string, Schedule>;
  readonly versions: readonly KnownVersion[];
  /** Keys that nobody needs any more. */
  readonly outdated: readonly string[];
}

export interface KnownVersion extends StoredVersion {
  readonly queue: string;
  readonly fingerprint: string;
}

/** A tick that somebody has to act on. */
export interface DueTick {
  readonly schedule: Schedule;
  readonly tick: number;
}

/** Reads and writes schedules. Who asks gets what is stored now. */
export class ScheduleBook {
  /** Those of the last reading: understanding an expression takes long, and it seldom changes. */
  private timetables = new Map<string, Timetable>();

  constructor(private readonly store: ScheduleStore) {}

  async read(): Promise<Snapshot> {
    const texts = await this.store.all();
    const known = this.timetables;
    this.timetables = new Map();
    const timetable = ({ cron, every, timezone }: ParsedTiming) => {
      const key = JSON.stringify([cron, every, timezone]);
      const found = this.timetables.get(key) ?? known.get(key) ?? timetableOf({ cron, every, timezone });
      this.timetables.set(key, found);
      return found;
    };
    return understand(texts, timetable, Date.now());
  }

  async get(id: string): Promise<Schedule | undefined> {
    return (await this.read()).schedules.get(id);
  }

  /**
   * The ticks of these that nobody has acted on yet; notes what became of the others.
   *
   * @returns `undefined` when a schedule is not what it was: read again
   */
  async open(due: readonly DueTick[]): Promise<DueTick[] | undefined> {
    const questions = due.flatMap(({ schedule: { id }, tick }) => [
      keys.schedule(id),
      keys.pause(id),
      keys.run(id, tick),
      keys.skip(id, tick),
    ]);
    const answers = await this.store.get(questions);
    const open: DueTick[] = [];
    for (const [index, { schedule, tick }] of due.entries()) {
      const [stored, pause, run, skip] = answers.slice(index * 4, index * 4 + 4);
      if (!isDeepStrictEqual(parseText(stored), schedule.stored)) return undefined;
      if (!isDeepStrictEqual(parseText(pause), schedule.pause)) return undefined;
      const ran = parseText<StoredRun>(run);
      const skipped = parseText<StoredSkip>(skip);
      if (ran) schedule.noteRun({ ...ran, tick });
      else if (skipped) schedule.noteSkip({ ...skipped, tick });
      else open.push({ schedule, tick });
    }
    return open;
  }

  /** Stores what became of ticks, and notes it. */
  async note(
    ticks: readonly { schedule: Schedule; run?: AtTick<StoredRun>; skip?: AtTick<StoredSkip> }[],
  ): Promise<void> {
    const texts: Record<string, string> = {};
    for (const { schedule, run, skip } of ticks) {
      if (run) texts[keys.run(schedule.id, run.tick)] = textOf(withoutTick(run));
      if (skip) texts[keys.skip(schedule.id, skip.tick)] = textOf(withoutTick(skip));
    }
    await this.store.set(texts);
    for (const { schedule, run, skip } of ticks) {
      if (run) schedule.noteRun(run);
      if (skip) schedule.noteSkip(skip);
    }
  }

  async noteManualRun(id: string, run: StoredManualRun): Promise<void> {
    await this.store.set({ [keys.manual(id)]: textOf(run) });
  }

  async noteEnds(ends: readonly { id: string; end: StoredEnd }[]): Promise<void> {
    await this.store.set(Object.fromEntries(ends.map(({ id, end }) => [keys.end(id), textOf(end)])));
  }

  async put(schedules: readonly StoredSchedule[]): Promise<void> {
    await this.store.set(Object.fromEntries(schedules.map((stored) => [keys.schedule(stored.id), textOf(stored)])));
  }

  async putPause(id: string, pause: StoredPause): Promise<void> {
    await this.store.set({ [keys.pause(id)]: textOf(pause) });
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
    await this.drop(versions.map(({ queue, fingerprint }) => keys.version(queue, fingerprint)));
  }

  /** Drops schedules with all that is known of them. */
  async remove(ids: ReadonlySet<string>): Promise<void> {
    const all = await this.store.all();
    await this.drop(
      [...all.keys()].filter((key) => {
        const parsed = parseKey(key);
        return parsed !== undefined && parsed.kind !== 'version' && ids.has(parsed.id);
      }),
    );
  }

  async drop(outdated: readonly string[]): Promise<void> {
    if (outdated.length > 0) await this.store.delete(outdated);
  }
}

function understand(
  texts: ReadonlyMap<string, string>,
  timetable: (timing: ParsedTiming) => Timetable,
  now: number,
): Snapshot {
  const schedules = new Map<string, Schedule>();
  const versions: KnownVersion[] = [];
  const facts = [...texts].flatMap(([key, text]) => {
    const parsed = parseKey(key);
    return parsed ? [{ key, text, parsed }] : [];
  });
  for (const { parsed, text } of facts) {
    if (parsed.kind !== 'schedule') continue;
    const stored = parseText<StoredSchedule>(text);
    if (stored) schedules.set(parsed.id, new Schedule(stored, timetable(stored)));
  }
  for (const { parsed, text } of facts) {
    if (parsed.kind === 'version') {
      const version = parseText<StoredVersion>(text);
      if (version) versions.push({ ...version, queue: parsed.queue, fingerprint: parsed.fingerprint });
    } else if (parsed.kind !== 'schedule') {
      const schedule = schedules.get(parsed.id);
      if (schedule) noteFact(schedule, parsed, text);
    }
  }
  const outdated = facts.filter(({ parsed }) => isOutdated(parsed, schedules, now)).map(({ key }) => key);
  return { schedules, versions, outdated };
}

function noteFact(
  schedule: Schedule,
  parsed: Exclude<ReturnType<typeof parseKey>, undefined | { kind: 'version' }>,
  text: string,
): void {
  switch (parsed.kind) {
    case 'pause':
      schedule.pause = parseText<StoredPause>(text);
      break;
    case 'manual':
      schedule.manual = parseText<StoredManualRun>(text);
      break;
    case 'end':
      schedule.end = parseText<StoredEnd>(text);
      break;
    case 'run':
      schedule.noteRun({ ...(parseText<StoredRun>(text) as StoredRun), tick: parsed.tick });
      break;
    case 'skip':
      schedule.noteSkip({ ...(parseText<StoredSkip>(text) as StoredSkip), tick: parsed.tick });
      break;
    case 'schedule':
      break;
  }
}

/** A later tick is known, and nobody will ask for this one again. */
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

function textOf(value: object): string {
  return JSON.stringify(value);
}
