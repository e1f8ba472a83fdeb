import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { sameTiming } from './stored-schedule.js';
import type { KnownVersion, Snapshot } from './schedule-book.js';
import type { StoredSchedule } from './stored-schedule.js';

/** A schedule as the code of this process decorates it. */
export type DeclaredSchedule = Omit<StoredSchedule, 'since'>;

/** A version of the code of which nothing was heard for so long runs nowhere any more. */
const VERSION_LIFE = 90_000;
/** Versions that run nowhere are forgotten after this. */
const VERSION_MEMORY = 24 * 60 * 60_000;

export interface ReconcileInput {
  readonly declared: readonly DeclaredSchedule[];
  /** The queues that this process consumes. All who consume a queue know its tasks, so they have one code. */
  readonly queues: Iterable<string>;
  readonly snapshot: Snapshot;
  readonly now: number;
  /** When this process said for the first time that it is there; `undefined` before. */
  readonly present: number | undefined;
}

/** What has to be changed in the store. */
export interface ReconcilePlan {
  readonly put: readonly StoredSchedule[];
  readonly remove: ReadonlySet<string>;
  readonly versions: readonly KnownVersion[];
  /** Versions of which nothing was heard for a day. */
  readonly forget: readonly KnownVersion[];
  /** Decorated ids that a schedule made at run time has already. */
  readonly taken: readonly string[];
}

/**
 * Brings the stored schedules that come from decorators in line with those of this process: new and changed ones are
 * put, others of the same queues removed; those made at run time are nobody's business here.
 *
 * During a deploy processes of two versions of the code run side by side. The version that appeared last decides; an
 * older process, also one that starts again, changes nothing as long as a newer one is alive. When the newer one is
 * gone, as after a roll-back, the older decides again.
 *
 * A queue that nobody has consumed for a day went with its last task, and so do its schedules.
 */
export function reconcile({ declared, queues, snapshot, now, present }: ReconcileInput): ReconcilePlan {
  const stored = new Map(Array.from(snapshot.schedules, ([id, schedule]) => [id, schedule.stored]));
  const isRemembered = ({ seen }: KnownVersion) => seen >= now - VERSION_MEMORY;
  const put: StoredSchedule[] = [];
  const remove = new Set<string>();
  const versions: KnownVersion[] = [];
  const taken: string[] = [];
  for (const queue of queues) {
    const mine = declared.filter(({ template }) => template.queue === queue);
    const version = currentVersion(queue, mine, snapshot.versions, now, present);
    versions.push(version);
    if (snapshot.versions.some((other) => isNewer(other, version, now))) continue;
    for (const schedule of mine) {
      const known = stored.get(schedule.id);
      if (known?.source === 'runtime') {
        taken.push(schedule.id);
        continue;
      }
      const wanted = { ...schedule, since: known && sameTiming(known, schedule) ? known.since : now };
      stored.set(schedule.id, wanted);
      if (!isDeepStrictEqual(known, wanted)) put.push(wanted);
    }
    for (const { id, source, template } of stored.values()) {
      if (source === 'decorator' && template.queue === queue && !mine.some((one) => one.id === id)) remove.add(id);
    }
  }
  // Who just started may be the first of many after a long pause.
  if (present !== undefined && now - present > VERSION_LIFE) {
    const queuesInUse = new Set([...snapshot.versions.filter(isRemembered), ...versions].map(({ queue }) => queue));
    for (const { id, source, template } of stored.values()) {
      if (source === 'decorator' && !queuesInUse.has(template.queue)) remove.add(id);
    }
  }
  // One that moved to another queue is put there, not removed here.
  for (const { id } of put) remove.delete(id);
  const forget = snapshot.versions.filter((version) => !isRemembered(version));
  return { put, remove, versions, forget, taken };
}

/** Whether processes with the code of this version run. */
export function isAlive({ seen }: KnownVersion, now: number): boolean {
  return seen > now - VERSION_LIFE;
}

function currentVersion(
  queue: string,
  declared: readonly DeclaredSchedule[],
  versions: readonly KnownVersion[],
  now: number,
  present: number | undefined,
): KnownVersion {
  const fingerprint = fingerprintOf(declared);
  const known = versions.find((other) => other.queue === queue && other.fingerprint === fingerprint);
  // Only a version of which no process was left begins anew.
  const since = known && isAlive(known, now) ? known.since : (present ?? now);
  return { queue, fingerprint, since, seen: now };
}

function isNewer(other: KnownVersion, version: KnownVersion, now: number): boolean {
  if (other.queue !== version.queue || other.fingerprint === version.fingerprint || !isAlive(other, now)) return false;
  return other.since > version.since || (other.since === version.since && other.fingerprint > version.fingerprint);
}

function fingerprintOf(declared: readonly DeclaredSchedule[]): string {
  const sorted = declared.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(sorted)).digest('base64url').slice(0, 16);
}
