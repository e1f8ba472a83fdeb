import type { RunPlace } from '../ports/place-port.js';
import { LONGEST, ownerOf, readBook, settle, tokenOf, writeBook, type PlaceBook } from './place-book.js';
import type { PlaceStore, StoredPlaces } from './place-store.js';

/** Milliseconds for which what is stored need not be read again before it is replaced. */
const FRESH = 1_000;
/** Milliseconds after which a limit that another process has set is known here, while runs go on. */
const LIMIT_KNOWN_FOR = 2_000;
/** Milliseconds for which a place that was given to a waiting process is kept for it. */
const PATIENCE = 5_000;
/** Milliseconds between two attempts while the store cannot be reached. */
const TRY_AGAIN_AFTER = 1_000;
/** Milliseconds of the longest pause after another process has replaced the book first. */
const LONGEST_PAUSE = 20;

export interface QueuePlacesDeps {
  readonly store: PlaceStore;
  /** Begins the tokens of this process. */
  readonly owner: string;
  /** Milliseconds after which the places of a process that died are free. */
  readonly lease: number;
  /** Called whenever callers have to wait. */
  readonly onWait: () => void;
  readonly onError: (error: Error) => void;
}

/** The places of one queue that this process has and wants. One call to the store is under way at a time. */
export class QueuePlaces {
  private readonly held = new Set<string>();
  /** In the order in which they asked. */
  private readonly wanted = new Map<string, (place: RunPlace) => void>();
  private count = 0;
  private known: StoredPlaces | undefined;
  /** By `performance.now()`; what is known may be wrong when it is `-Infinity`. */
  private knownAt = -Infinity;
  private isStale = false;
  private updating: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private isClosed = false;

  constructor(
    private readonly queue: string,
    private readonly deps: QueuePlacesDeps,
  ) {}

  async take(): Promise<RunPlace> {
    this.count++;
    const token = tokenOf(this.deps.owner, this.count);
    const age = performance.now() - this.knownAt;
    if (this.isUnlimited && age < LIMIT_KNOWN_FOR) {
      this.held.add(token);
      if (age > FRESH) this.update();
      return this.placeOf(token);
    }
    return new Promise((resolve) => {
      this.wanted.set(token, resolve);
      this.update();
    });
  }

  /** Brings the book up to date, once more when something has changed meanwhile. */
  update(): void {
    this.isStale = true;
    this.updating ??= this.updateUntilCurrent();
  }

  /** Stores which places this process has given back. The others are taken until their time is over. */
  async close(): Promise<void> {
    const isIdle = !this.updating && this.held.size + this.wanted.size === 0;
    this.isClosed = true;
    this.wanted.clear();
    if (!isIdle) this.update();
    await this.updating;
    clearTimeout(this.timer);
  }

  private get isUnlimited(): boolean {
    return this.known !== undefined && this.known.limit === undefined;
  }

  private async updateUntilCurrent(): Promise<void> {
    // When a run has ended and the next one begins, both are stored in one step.
    await Promise.resolve();
    let next: number | undefined;
    try {
      while (this.isStale) {
        this.isStale = false;
        await this.exchange();
      }
      next = this.pause();
    } catch (error) {
      this.knownAt = -Infinity;
      this.deps.onError(error as Error);
      next = TRY_AGAIN_AFTER;
    }
    this.updating = undefined;
    this.updateIn(next);
  }

  /** Settles with the other processes what this one has and wants. */
  private async exchange(): Promise<void> {
    const { store } = this.deps;
    const isFresh = performance.now() - this.knownAt < FRESH;
    let known = isFresh && this.known ? this.known : await this.learn(store.read(this.queue));
    for (let conflicts = 0; ; conflicts++) {
      const { limit, book } = known;
      const before = readBook(book);
      const after = this.settle(before, limit);
      const text = writeBook(after);
      if (text !== book) known = await this.learn(store.replace(this.queue, book, text));
      if (text === known.book) return this.settled(before, after, limit);
      await pause(Math.random() * Math.min(2 ** conflicts, LONGEST_PAUSE));
    }
  }

  /** Without a limit nothing is stored of this process. */
  private settle(book: PlaceBook, limit: number | undefined): PlaceBook {
    const { owner, lease, store } = this.deps;
    const own = limit === undefined ? NOTHING : { held: this.held, wanted: this.wanted.keys() };
    return settle(book, { owner, ...own, limit: limit ?? 0, now: store.now(), lease, patience: PATIENCE });
  }

  private settled(before: PlaceBook, after: PlaceBook, limit: number | undefined): void {
    const { owner, store } = this.deps;
    for (const token of limit === undefined ? [...this.wanted.keys()] : after.taken.keys()) this.give(token);
    const own = [...after.taken.keys()].filter((token) => ownerOf(token) === owner);
    // A place was given back, or the limit was changed, while the book was stored.
    if (this.known?.limit !== limit || own.some((token) => !this.held.has(token))) this.isStale = true;
    const given = new Set([...after.taken.keys()].filter((token) => !before.taken.has(token)).map(ownerOf));
    given.delete(owner);
    if (given.size > 0) store.announce(this.queue, [...given]);
  }

  private async learn(answer: Promise<StoredPlaces>): Promise<StoredPlaces> {
    const askedAt = performance.now();
    this.known = await answer;
    this.knownAt = askedAt;
    return this.known;
  }

  private give(token: string): void {
    const resolve = this.wanted.get(token);
    if (!resolve) return;
    this.wanted.delete(token);
    this.held.add(token);
    resolve(this.placeOf(token));
  }

  private placeOf(token: string): RunPlace {
    return {
      giveBack: () => {
        if (this.held.delete(token) && (this.updating || !this.isUnlimited)) this.update();
      },
    };
  }

  /** Milliseconds after which this process has to confirm what it has, or ask again; `undefined` when it has and wants nothing. */
  private pause(): number | undefined {
    if (this.wanted.size > 0) {
      this.deps.onWait();
      return PATIENCE / 3;
    }
    if (this.held.size === 0) return undefined;
    return this.isUnlimited ? LIMIT_KNOWN_FOR : Math.min(this.deps.lease, LONGEST) / 3;
  }

  private updateIn(milliseconds: number | undefined): void {
    clearTimeout(this.timer);
    if (milliseconds === undefined || this.isClosed) return;
    this.timer = setTimeout(() => this.update(), milliseconds);
    this.timer.unref();
  }
}

const NOTHING = { held: [], wanted: [] };

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
