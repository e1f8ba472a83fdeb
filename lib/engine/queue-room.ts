/** Milliseconds after which the tasks of a queue are counted again. */
const COUNT_AGAIN_AFTER = 1_000;
/** How many times the duration of a count pass until the next one, if that is more than a second; and the longest such pause. */
const PAUSE_PER_COUNT = 10;
const LONGEST_PAUSE = 5_000;
/** Milliseconds for which a full queue counts as full without another count. */
const STAYS_FULL_FOR = 100;
/** The share of the room that is used up between two counts. */
const SHARE = 0.1;

/**
 * The room that a queue with `maxQueued` has for further tasks, as far as this process knows.
 *
 * It counts the tasks of the queue once a second (more rarely where counting takes long), or once a tenth of the room is used up, and adds what this process stores in
 * between. Other processes do so too, so several of them may exceed the limit together by what they store between two counts.
 */
export class QueueRoom {
  private counted = 0;
  private countedAt = -Infinity;
  /** Milliseconds until the next count. Counting a million tasks takes PostgreSQL long. */
  private pause = COUNT_AGAIN_AFTER;
  /** Tasks that this process has perhaps stored since the count. */
  private used = 0;
  /** Tasks that were being stored when the count began, so that it may contain them, and `used` as well. */
  private perhapsTwice = 0;
  /** Room that was taken, and in which nothing is stored for certain yet. */
  private readonly unfinished = new Set<TakenRoom>();
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly max: number,
    private readonly count: () => Promise<number>,
  ) {}

  /** The tasks that waited when they were counted last. */
  get queued(): number {
    return this.counted;
  }

  /** Takes room for tasks. Callers take it one after the other. @returns `undefined` when there is not enough */
  take(tasks: number): Promise<TakenRoom | undefined> {
    const taken = this.turn.then(() => this.takeInTurn(tasks));
    this.turn = taken.catch(() => undefined);
    return taken;
  }

  private async takeInTurn(tasks: number): Promise<TakenRoom | undefined> {
    const age = performance.now() - this.countedAt;
    if (age < STAYS_FULL_FOR && this.max - this.counted < tasks) return undefined;
    const share = Math.max(Math.floor((this.max - this.counted) * SHARE), 1);
    if (age >= this.pause || this.used + tasks > share) await this.countAgain();
    if (!this.fits(tasks) && (this.perhapsTwice > 0 || this.unfinished.size > 0)) {
      await Promise.all(Array.from(this.unfinished, ({ ended }) => ended));
      await this.countAgain();
    }
    if (!this.fits(tasks)) return undefined;
    this.used += tasks;
    const taken = new TakenRoom(tasks, (unused) => {
      this.unfinished.delete(taken);
      this.used = Math.max(this.used - unused, 0);
    });
    this.unfinished.add(taken);
    return taken;
  }

  private fits(tasks: number): boolean {
    return this.counted + this.used + tasks <= this.max;
  }

  private async countAgain(): Promise<void> {
    let begun = 0;
    for (const { tasks } of this.unfinished) begun += tasks;
    const start = performance.now();
    this.counted = await this.count();
    this.countedAt = performance.now();
    const took = this.countedAt - start;
    this.pause = Math.max(COUNT_AGAIN_AFTER, Math.min(took * PAUSE_PER_COUNT, LONGEST_PAUSE));
    this.used = begun;
    this.perhapsTwice = begun;
  }
}

/** Room that a call has taken. Until it ends, a count may or may not contain the tasks of the call. */
export class TakenRoom {
  readonly ended: Promise<void>;
  private resolve!: () => void;

  /** @param onEnd called with the number of tasks that were not stored */
  constructor(
    readonly tasks: number,
    private readonly onEnd: (unused: number) => void,
  ) {
    this.ended = new Promise((resolve) => (this.resolve = resolve));
  }

  /** The tasks are stored, or it is not known whether they are. */
  end(): void {
    this.onEnd(0);
    this.resolve();
  }

  /** Nothing is stored. */
  giveBack(): void {
    this.onEnd(this.tasks);
    this.resolve();
  }
}
