import { randomBytes } from 'node:crypto';
import { Bucket } from './bucket.js';
import { COUNTS, Figures } from './figures.js';
import { MINUTE } from './task-counter.js';
import { allTexts, type TextStore } from './text-store.js';

/**
 * The spans of time that a merged bucket covers, the shortest first, and the age up to which buckets of that span are kept.
 * So the store holds a few hundred buckets, however many processes and tasks there are.
 */
const LEVELS = [
  { span: MINUTE, until: 2 * 60 * MINUTE },
  { span: 10 * MINUTE, until: 24 * 60 * MINUTE },
  { span: 60 * MINUTE, until: Infinity },
] as const;
/** Milliseconds after its end in which parts of a minute may still come. A later part is merged all the same. */
const LATE = MINUTE;
/** Milliseconds after which a merge that has not ended stops: another process may have begun one. */
const MERGE_LIMIT = 20_000;
/** Milliseconds between two passes over the buckets that were merged already. */
const ROLL_EVERY = 10 * MINUTE;
/** Milliseconds by which a bucket may be older than its level says, because the process that merges has not come to it. */
const SLACK = 60 * MINUTE;

/** The key of what is older than all that is kept. It has counts alone, so that totals never fall. */
const EARLIER = '0:0';

/** Figures of a span of time. */
export interface Slice {
  readonly at: number;
  readonly bucket: Bucket;
}

export interface StatisticsStoreDeps {
  /** What single processes have stored. */
  readonly parts: TextStore;
  /** What was merged of that. */
  readonly merged: TextStore;
  readonly now: () => number;
  /** Milliseconds for which figures are kept. */
  readonly keep: number;
}

/**
 * Stores figures so that no process changes what another has written: each stores *parts* under keys of its own, and one
 * process merges them. A merged bucket names its sources until they are deleted. So nothing counts twice or gets lost when the
 * process that merges dies between writing and deleting.
 */
export class StatisticsStore {
  private readonly process = randomBytes(6).toString('base64url');
  private parts = 0;
  private rolledAt = -Infinity;

  constructor(private readonly deps: StatisticsStoreDeps) {}

  /** A key for a part that is stored nowhere yet. Storing it twice is storing it once. */
  newPart(minute: number): string {
    return `${minute}:${this.process}:${(this.parts++).toString(36)}`;
  }

  async add(parts: ReadonlyMap<string, Bucket>): Promise<void> {
    await this.deps.parts.set(Object.fromEntries(Array.from(parts, ([key, bucket]) => [key, bucket.write()])));
  }

  /** What is stored of a range of time. @throws EngineUnavailableError when the engine does not answer in time */
  async read(from: number, to: number): Promise<Slice[]> {
    const keys = this.keysOf(from, to);
    // Parts first: a part that is merged between the two reads is then a source of the merged bucket.
    const parts = await allTexts(this.deps.parts);
    const merged = await this.deps.merged.get(keys);
    const slices = new Map<string, Slice>();
    for (const [key, text] of parts) addSlice(slices, key, text);
    for (const [place, key] of keys.entries()) addSlice(slices, key, merged[place]);
    dropSources(slices);
    return [...slices.values()].filter(({ at }) => at >= from && at < to);
  }

  /** Merges what is old enough. Only one process may do that at a time. */
  async merge(): Promise<void> {
    const { parts, merged, now, keep } = this.deps;
    const stopAt = performance.now() + MERGE_LIMIT;
    const isClosed = (key: string) => timeOf(key) + MINUTE + LATE <= now();
    const closed = [...(await allTexts(parts))].filter(([key]) => isClosed(key));
    for (const [target, sources] of groupBy(closed, (at) => keyOf(at, LEVELS[0].span)))
      if (performance.now() < stopAt) await this.fold(target, sources, parts);
    if (performance.now() - this.rolledAt < ROLL_EVERY) return;
    this.rolledAt = performance.now();
    let stored = await allTexts(merged);
    for (const [place, { span, until }] of LEVELS.entries()) {
      const next = LEVELS[place + 1];
      if (!next) break;
      const old = [...stored].filter(([key]) => spanOf(key) === span && timeOf(key) + span + until <= now());
      for (const [target, sources] of groupBy(old, (at) => keyOf(at, next.span)))
        if (performance.now() < stopAt) await this.fold(target, sources, merged);
      if (old.length > 0) stored = await allTexts(merged);
    }
    const isOutdated = (key: string) => key !== EARLIER && timeOf(key) + spanOf(key) + keep <= now();
    const outdated = new Map([...stored].filter(([key]) => isOutdated(key)));
    if (outdated.size > 0 && performance.now() < stopAt) await this.fold(EARLIER, outdated, merged);
  }

  /** What was ever counted, by queue. @throws EngineUnavailableError when the engine does not answer in time */
  async totals(): Promise<Map<string, Figures['counts']>> {
    const { parts, merged } = this.deps;
    const slices = new Map<string, Slice>();
    // In the order in which figures move, so that each is found at least once; sources tell which are found twice.
    for (const store of [parts, merged]) for (const [key, text] of await allTexts(store)) addSlice(slices, key, text);
    addSlice(slices, EARLIER, (await merged.get([EARLIER]))[0]);
    dropSources(slices);
    const totals = new Map<string, Figures['counts']>();
    for (const { bucket } of slices.values()) {
      for (const [queue, , { counts }] of bucket.entries()) {
        const total = totals.get(queue) ?? new Figures().counts;
        for (const event of COUNTS) total[event] += counts[event];
        totals.set(queue, total);
      }
    }
    return totals;
  }

  /** Adds sources to a merged bucket and deletes them. */
  private async fold(target: string, sources: ReadonlyMap<string, string>, from: TextStore): Promise<void> {
    const { merged } = this.deps;
    const [text] = await merged.get([target]);
    const bucket = (text !== undefined && Bucket.read(text)) || new Bucket();
    const known = new Set(bucket.sources);
    for (const [key, source] of sources) if (!known.has(key)) bucket.merge(Bucket.read(source) ?? new Bucket());
    // A source that the bucket named before is still stored only when the process that merged it died.
    bucket.sources = [...sources.keys()];
    if (target === EARLIER) bucket.dropDurations();
    await merged.set({ [target]: bucket.write() });
    await from.delete([...sources.keys()]);
  }

  /** The keys of all merged buckets that may be in a range. */
  private keysOf(from: number, to: number): string[] {
    const { now, keep } = this.deps;
    const keys: string[] = [];
    for (const { span, until } of LEVELS) {
      const oldest = now() - Math.min(until, keep) - SLACK;
      const first = Math.max(from, oldest);
      for (let at = Math.floor(first / span) * span; at < Math.min(to, now() + MINUTE); at += span)
        keys.push(keyOf(at, span));
    }
    return keys;
  }
}

function dropSources(slices: Map<string, Slice>): void {
  for (const { bucket } of [...slices.values()]) for (const source of bucket.sources) slices.delete(source);
}

function addSlice(slices: Map<string, Slice>, key: string, text: string | undefined): void {
  const bucket = text === undefined ? undefined : Bucket.read(text);
  if (bucket) slices.set(key, { at: timeOf(key), bucket });
}

/** The key of a merged bucket. The key of a part has more words. */
function keyOf(at: number, span: number): string {
  return `${Math.floor(at / span) * span}:${span / MINUTE}`;
}

function timeOf(key: string): number {
  return Number.parseInt(key, 10) || 0;
}

function spanOf(key: string): number {
  return Number.parseInt(key.slice(key.indexOf(':') + 1), 10) * MINUTE;
}

function groupBy(
  texts: readonly (readonly [key: string, text: string])[],
  targetOf: (at: number) => string,
): Map<string, Map<string, string>> {
  const groups = new Map<string, Map<string, string>>();
  for (const [key, text] of texts) {
    const target = targetOf(timeOf(key));
    const group = groups.get(target) ?? new Map<string, string>();
    groups.set(target, group.set(key, text));
  }
  return groups;
}
