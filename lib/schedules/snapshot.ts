import { latestBelievable } from './future-times.js';
import { readEnd, readLast, readManualRun, readRun, readSkip, readVersion } from './read-runs.js';
import { readSchedule } from './read-schedule.js';
import type { Schedule } from './schedule.js';
import { keys, parseKey, type ParsedKey, type StoredVersion } from './stored-schedule.js';
import type { Timetables } from './timetables.js';

/**
 * Milliseconds for which the record of a handled tick is kept, although a later tick has been handled. No process runs
 * a tick older than this without reading the whole store first (see schedule-clock.ts), so no process misses the
 * record.
 */
const KEEP_TICKS = 5 * 60_000;
/** Milliseconds after which `last` of a schedule that no longer exists is deleted: 0.1.0 does not know this key. */
const KEEP_LAST = 24 * 60 * 60_000;

/** Schedules by their ids. */
export type Schedules = ReadonlyMap<string, Schedule>;

/** The content of the store. */
export interface Snapshot {
  readonly schedules: Schedules;
  readonly versions: readonly KnownVersion[];
  /** Keys that no process needs any more. */
  readonly outdated: readonly string[];
  /** Schedules with a later tick than the record `last` says. */
  readonly behind: readonly Schedule[];
}

export interface KnownVersion extends StoredVersion {
  readonly queue: string;
  readonly fingerprint: string;
}

/** The parts of a schedule with a key that is known from its id. */
export const PARTS = ['schedule', 'pause', 'last', 'manual', 'end'] as const;

export type Part = (typeof PARTS)[number];

/** The texts of the parts of one schedule. */
export type PartTexts = Readonly<Record<Part, string | undefined>>;

/**
 * The schedule in these texts; `undefined` when there is none. A schedule that this process has read before, and that has not
 * changed, stays the same object.
 */
export function toSchedule(
  id: string,
  { schedule: text, pause, last, manual, end }: PartTexts,
  timetables: Timetables,
  earlier: Schedule | undefined,
): Schedule | undefined {
  if (text === undefined) return undefined;
  const isSame = earlier?.texts?.schedule === text && earlier.texts.pause === pause;
  const schedule = isSame ? earlier : readSchedule(id, { schedule: text, pause }, timetables);
  if (earlier && !isSame) schedule.remember(earlier);
  const { run, skip } = readLast(last);
  if (run) schedule.recordRun(run);
  if (skip) schedule.recordSkip(skip);
  schedule.manual = readManualRun(manual);
  schedule.end = readEnd(end);
  return schedule;
}

/** @param known what this process has read before */
export function toSnapshot(
  texts: ReadonlyMap<string, string>,
  timetables: Timetables,
  known: Schedules,
  now: number,
): Snapshot {
  const schedules = new Map<string, Schedule>();
  const versions: KnownVersion[] = [];
  const entries = [...texts].flatMap(([key, text]) => {
    const parsed = parseKey(key);
    return parsed ? [{ key, text, parsed }] : [];
  });
  for (const { parsed } of entries) {
    if (parsed.kind !== 'schedule') continue;
    const { id } = parsed;
    const parts = Object.fromEntries(PARTS.map((part) => [part, texts.get(keys[part](id))])) as PartTexts;
    schedules.set(id, toSchedule(id, parts, timetables, known.get(id)) as Schedule);
  }
  const behind = new Set<Schedule>();
  for (const { parsed, text } of entries) {
    if (parsed.kind === 'version') {
      const version = readVersion(text);
      if (version) versions.push({ ...version, queue: parsed.queue, fingerprint: parsed.fingerprint });
    } else if (parsed.kind === 'run' || parsed.kind === 'skip') {
      const schedule = schedules.get(parsed.id);
      if (!schedule) continue;
      const { run, skip } = readLast(texts.get(keys.last(parsed.id)));
      if (parsed.tick > schedule.stored.since && parsed.tick > ((parsed.kind === 'run' ? run : skip)?.tick ?? 0)) {
        behind.add(schedule);
      }
      if (parsed.kind === 'run') recordRun(schedule, parsed.tick, text);
      else recordSkip(schedule, parsed.tick, text);
    }
  }
  const outdated = entries.filter(({ parsed, text }) => isOutdated(parsed, text, schedules, now)).map(({ key }) => key);
  return { schedules, versions, outdated, behind: [...behind] };
}

/** The key says that the tick was handled, also when the record cannot be read. */
export function recordRun(schedule: Schedule, tick: number, text: string): void {
  const run = readRun(text);
  if (run) schedule.recordRun({ ...run, tick });
  else schedule.recordHandled(tick);
}

export function recordSkip(schedule: Schedule, tick: number, text: string): void {
  const skip = readSkip(text);
  if (skip) schedule.recordSkip({ ...skip, tick });
  else schedule.recordHandled(tick);
}

/**
 * Whether no process reads a key any more: it is the record of a handled tick, and a later one is known, or its time has
 * not come.
 */
function isOutdated(parsed: ParsedKey, text: string, schedules: Schedules, now: number): boolean {
  if (parsed.kind === 'last') {
    const { run, skip } = readLast(text);
    return !schedules.has(parsed.id) && Math.max(run?.tick ?? 0, skip?.tick ?? 0) < now - KEEP_LAST;
  }
  if (parsed.kind !== 'run' && parsed.kind !== 'skip') return false;
  if (parsed.tick > latestBelievable(now)) return true;
  if (parsed.tick > now - KEEP_TICKS) return false;
  // The latest record stays, because 0.1.0 knows the latest tick only from it.
  const latest = schedules.get(parsed.id)?.[parsed.kind];
  return !latest || parsed.tick < latest.tick;
}
