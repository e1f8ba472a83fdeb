import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { isSameApplication, type DeclaredCode } from '../engine/declared-code.js';
import { latestBelievable } from './future-times.js';
import type { Schedule } from './schedule.js';
import type { KnownVersion, Schedules, Snapshot } from './snapshot.js';
import { sameTiming, type StoredPause, type StoredSchedule } from './stored-schedule.js';

/** A schedule as the code of this process declares it. */
export type DeclaredSchedule = Omit<StoredSchedule, 'since'>;

/** Milliseconds without a sign of life after which a version of the code counts as not running. */
const VERSION_LIFE = 90_000;
/** Milliseconds without a sign of life after which the record of a version is deleted. */
const VERSION_MEMORY = 24 * 60 * 60_000;

export interface ReconcileInput {
  readonly declared: readonly DeclaredSchedule[];
  /**
   * The queues that this process consumes. All consumers of a queue declare its tasks, so they run the same code,
   * except during a deploy.
   */
  readonly queues: Iterable<string>;
  readonly snapshot: Pick<Snapshot, 'schedules' | 'versions'>;
  /** What the code of this process declares. */
  readonly code: DeclaredCode;
  /** The workers that run now. */
  readonly workers: readonly DeclaredCode[];
  /** What this process knew before it read the snapshot. */
  readonly remembered: Schedules;
  readonly now: number;
  /** When this process stored its versions for the first time; `undefined` before that. */
  readonly presentSince: number | undefined;
  /** The ids that a declared schedule had under the earlier names of its task. Default: none. */
  readonly formerIds?: (id: string) => readonly string[];
  /** When this process last loaded a module with further schedules; `undefined` when it did not. */
  readonly grownAt?: number | undefined;
}

/** A schedule whose task has another name now, so that its id has changed. */
export interface RenamedSchedule {
  readonly from: string;
  readonly to: string;
}

/** An id that somebody else uses: another application, or a schedule that was created at run time. */
export interface TakenId {
  readonly id: string;
  readonly by: DeclaredCode | 'runtime';
}

/** The changes to make in the store. */
export interface ReconcilePlan {
  readonly put: readonly StoredSchedule[];
  /** The pauses of schedules in `put` whose records are lost. */
  readonly pauses: readonly (StoredPause & { readonly id: string })[];
  readonly remove: ReadonlySet<string>;
  /** Schedules in `put` that take over what is stored about one in `remove`: its pause and its last runs. */
  readonly renamed: readonly RenamedSchedule[];
  /** The versions of this process, one for each of its queues, with a new sign of life. */
  readonly versions: readonly KnownVersion[];
  /** Versions without a sign of life for a day. */
  readonly forget: readonly KnownVersion[];
  /** Declared schedules whose ids another schedule already has. */
  readonly taken: readonly TakenId[];
  /** Removed schedules that a running worker still declares, with that worker's application. */
  readonly contested: readonly TakenId[];
}

/**
 * Compares the stored schedules that come from decorators with the schedules that this process declares. New and
 * changed schedules are put; schedules of the same queues that the code no longer declares are removed. Schedules
 * created at run time are left as they are.
 *
 * During a deploy, processes of two versions of the code run side by side. The version that appeared last decides. A
 * process of an older version changes nothing as long as a newer version is alive, even when the process starts again.
 * Once the newer version is gone, as after a roll-back, the older version decides again.
 *
 * Two applications that share a queue leave each other's schedules alone: each removes only what its own name is stored with,
 * and nothing that a running worker of another application declares.
 *
 * The schedules of a queue without a consumer for a day are removed too: the queue has no task any more.
 *
 * A schedule whose task got another name, and which has no id of its own, gets another id with it. It goes on as before: paused or
 * not, and after its last tick.
 *
 * When the stored data was lost, a process puts its schedules again as it remembers them.
 */
export function reconcile(input: ReconcileInput): ReconcilePlan {
  const { declared, queues, snapshot, code, workers, remembered, now, presentSince } = input;
  const stored = new Map<string, StoredSchedule>();
  const newer = new Set<string>();
  for (const [id, schedule] of snapshot.schedules) {
    // A broken schedule counts as missing: a declared one is put again. One of a later version is left alone.
    if (schedule.broken?.isNewer) newer.add(id);
    else if (!schedule.broken) stored.set(id, schedule.stored);
  }
  const isRemembered = ({ seen }: KnownVersion) => seen >= now - VERSION_MEMORY && seen <= latestBelievable(now);
  const put: StoredSchedule[] = [];
  const pauses: ReconcilePlan['pauses'][number][] = [];
  const remove = new Set<string>();
  const renamed: RenamedSchedule[] = [];
  const versions: KnownVersion[] = [];
  const taken: TakenId[] = [];
  const others = workers.filter((worker) => !isSameApplication(worker, code));
  const knownApplications = new Set(snapshot.versions.filter(isRemembered).map((version) => version.code?.application));
  /** Whether this application has put a schedule of a decorator, and no running worker of another one declares it. */
  const isOwn = (known: StoredSchedule) => {
    const isForeign = differ(known.application, code.application) && knownApplications.has(known.application);
    return known.source === 'decorator' && !isForeign && !others.some((other) => owns(other, known));
  };
  const declaredIds = new Set(declared.map(({ id }) => id));
  const formerOf = (id: string) => {
    const former = (input.formerIds?.(id) ?? []).map((each) => stored.get(each));
    return former.find((each) => each && !declaredIds.has(each.id) && isOwn(each));
  };
  for (const queue of queues) {
    const mine = declared.filter(({ template }) => template.queue === queue);
    const version = currentVersion(queue, mine, input);
    versions.push(version);
    const newerVersions = snapshot.versions.filter((other) => isNewer(other, version, now));
    if (newerVersions.some((other) => !other.code || isSameApplication(other.code, code))) continue;
    for (const schedule of mine) {
      if (newer.has(schedule.id)) continue;
      const known = stored.get(schedule.id);
      if (known?.source === 'runtime') {
        taken.push({ id: schedule.id, by: 'runtime' });
        continue;
      }
      const owner = known && others.find((other) => owns(other, known));
      if (owner && !code.tasks.includes(known.template.name)) {
        taken.push({ id: schedule.id, by: owner });
        continue;
      }
      // Another application declares the same schedule: the version that appeared last decides, as within one application.
      if (known && newerVersions.some((other) => other.code?.schedules.includes(schedule.id))) continue;
      const former = known ? undefined : formerOf(schedule.id);
      const lost = known || former ? undefined : remembered.get(schedule.id);
      const { application } = code;
      const wanted = {
        ...schedule,
        ...(application !== undefined && { application }),
        since: Math.min(beginningOf(schedule, known ?? former, lost) ?? now, now),
      };
      stored.set(schedule.id, wanted);
      if (isDeepStrictEqual(known, wanted)) continue;
      put.push(wanted);
      if (former) {
        renamed.push({ from: former.id, to: schedule.id });
        remove.add(former.id);
        stored.delete(former.id);
      }
      if (lost?.pause && !snapshot.schedules.has(schedule.id)) pauses.push({ id: schedule.id, ...lost.pause });
    }
    for (const known of stored.values()) {
      const { id, template } = known;
      if (template.queue === queue && !mine.some((own) => own.id === id) && isOwn(known)) remove.add(id);
    }
  }
  // After a long pause of the whole application, this process may be the first of many to start: the consumers of the
  // other queues get time to start too.
  if (presentSince !== undefined && now - presentSince > VERSION_LIFE) {
    const queuesInUse = new Set([...snapshot.versions.filter(isRemembered), ...versions].map(({ queue }) => queue));
    for (const { id, source, template } of stored.values()) {
      if (source === 'decorator' && !queuesInUse.has(template.queue)) remove.add(id);
    }
  }
  // A schedule that moved to another queue is put for its new queue, so it must not be removed for the old one.
  for (const { id } of put) remove.delete(id);
  const forget = snapshot.versions.filter((version) => !isRemembered(version));
  const takenOver = new Set(renamed.map(({ from }) => from));
  const contested = [...remove].flatMap((id) => {
    if (takenOver.has(id)) return [];
    const by = workers.find(({ schedules }) => schedules.includes(id));
    return by ? [{ id, by }] : [];
  });
  return { put, pauses, remove, renamed, versions, forget, taken, contested };
}

/**
 * When a schedule begins that has the same ticks as before: where it began, or with the last tick that this process knows
 * when the stored schedule was lost. So the next tick runs, and no earlier one runs again.
 */
function beginningOf(
  declared: DeclaredSchedule,
  known: StoredSchedule | undefined,
  lost: Schedule | undefined,
): number | undefined {
  if (known) return sameTiming(known, declared) ? known.since : undefined;
  return lost && !lost.broken && sameTiming(lost.stored, declared) ? lost.latest : undefined;
}

/** Whether processes of this version run. */
export function isAlive({ seen }: KnownVersion, now: number): boolean {
  return seen > now - VERSION_LIFE && seen <= latestBelievable(now);
}

function currentVersion(
  queue: string,
  declared: readonly DeclaredSchedule[],
  { snapshot, code, now, presentSince, grownAt = -Infinity }: ReconcileInput,
): KnownVersion {
  const fingerprint = fingerprintOf(declared, code);
  const known = snapshot.versions.find((other) => other.queue === queue && other.fingerprint === fingerprint);
  // A version that is alive keeps its time of appearance. A version whose last process was gone appears anew.
  const since = known && isAlive(known, now) ? known.since : (presentSince ?? now);
  return { queue, fingerprint, since: Math.min(Math.max(since, grownAt), now), seen: now, code };
}

function isNewer(other: KnownVersion, version: KnownVersion, now: number): boolean {
  if (other.queue !== version.queue || other.fingerprint === version.fingerprint || !isAlive(other, now)) return false;
  const since = Math.min(other.since, now);
  return since > version.since || (since === version.since && other.fingerprint > version.fingerprint);
}

/** Whether a worker declares the task of a stored schedule. */
function owns({ tasks }: DeclaredCode, { template }: StoredSchedule): boolean {
  return tasks.includes(template.name);
}

function differ(one: string | undefined, other: string | undefined): boolean {
  return one !== undefined && other !== undefined && one !== other;
}

/** Tells the versions of a queue apart: processes with the same schedules and tasks have the same fingerprint. */
function fingerprintOf(declared: readonly DeclaredSchedule[], { application, tasks }: DeclaredCode): string {
  const sorted = declared.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([application, tasks, sorted]))
    .digest('base64url')
    .slice(0, 16);
}
