import { bareMessage } from '../bare-error.js';
import type { Clock } from './clock.js';
import { PackageLogger } from '../../package-logger.js';

/** Milliseconds between two measurements. */
const MEASURE_INTERVAL = 30_000;
/** An answer that took longer, in milliseconds, says little: the server is asked again, at most {@link MOST_SAMPLES} times. */
const FAST_ANSWER = 10;
const MOST_SAMPLES = 3;
/** Milliseconds. `Date.now()` has no fractions, so two readings of the same clock may differ by this much. */
const ROUNDING = 1;
/** Milliseconds. When the system clock moves by more than this against the time that passes, it was changed. */
const LEAP = 250;
/** Milliseconds. Larger differences and changes are logged. */
const CONSIDERABLE = 1_000;

export interface ServerClockDeps {
  /** Where the server is, for log lines. */
  readonly address: string;
  /** The server's time in milliseconds since 1970, in one round trip. */
  readonly read: () => Promise<number>;
  /** Whether an error of `read` means that the server cannot be reached for now. */
  readonly isOutage: (error: unknown) => boolean;
  /** For tests: the system clock of this process, which may be changed at any time. */
  readonly wallClock?: () => number;
  /** For tests: the time that passes. */
  readonly monotonic?: () => number;
}

/**
 * The clock of the server. It is measured, and computed in between: no call of this package waits for it. A change of
 * this process's own clock is noticed at the next use, because the time that passes does not follow it. The computed
 * time goes on as before then, and the difference counts as unknown until it is measured again.
 */
export class ServerClock implements Clock {
  private readonly logger = new PackageLogger();
  private readonly wallClock: () => number;
  private readonly monotonic: () => number;
  private known = 0;
  private trusted = false;
  private unknown = true;
  /** The system clock minus the time that passed, at the last use. */
  private offset: number;
  private latest = -Infinity;
  private reported = 0;
  private measuring: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private isUnreadable = false;
  /** The server has never told its time, and refuses to: the clock of this process counts, and may be changed. */
  private isOwn = false;
  private closed = false;

  constructor(private readonly deps: ServerClockDeps) {
    this.wallClock = deps.wallClock ?? (() => Date.now());
    this.monotonic = deps.monotonic ?? (() => performance.now());
    this.offset = this.wallClock() - this.monotonic();
  }

  now(): number {
    const wall = this.wallClock();
    this.noticeLeap(wall);
    const now = wall + this.known;
    // A correction by a few milliseconds does not turn the time back: it stands still for so long.
    if (now >= this.latest || this.latest - now > CONSIDERABLE) this.latest = now;
    return this.latest;
  }

  get difference(): number {
    this.noticeLeap();
    return this.known;
  }

  get isUnknown(): boolean {
    return this.unknown;
  }

  get isTrusted(): boolean {
    this.noticeLeap();
    return this.trusted;
  }

  /** All callers share one measurement. */
  measure(): Promise<void> {
    this.measuring ??= this.takeSamples().finally(() => {
      this.measuring = undefined;
      this.measureLater();
    });
    return this.measuring;
  }

  doubt(): void {
    if (!this.isUnreadable) this.trusted = false;
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  private async takeSamples(): Promise<void> {
    let best: Sample | undefined;
    for (let count = 0; count < MOST_SAMPLES && !(best && best.took <= FAST_ANSWER); count++) {
      const sample = await this.sample();
      if (!sample) return;
      if (!best || sample.took < best.took) best = sample;
    }
    this.correct(best as Sample);
  }

  /** @returns `undefined` when the server refuses to tell its time */
  private async sample(): Promise<Sample | undefined> {
    const askedAt = this.monotonic();
    try {
      const time = await this.deps.read();
      const took = this.monotonic() - askedAt;
      this.isUnreadable = false;
      return { ahead: time - (askedAt + took / 2), took };
    } catch (error) {
      if (this.deps.isOutage(error)) throw error;
      if (this.unknown) {
        this.isOwn = true;
        this.known = 0;
      }
      const counts = this.isOwn ? 'the clock of this process' : 'the difference that was measured before';
      if (!this.isUnreadable)
        this.logger.warn(
          `${this.deps.address} does not tell its time (${bareMessage(error)}), so ${counts} counts. Keep the clock of this host right with NTP.`,
        );
      this.isUnreadable = this.trusted = true;
      this.unknown = false;
      return undefined;
    }
  }

  private correct({ ahead, took }: Sample): void {
    this.noticeLeap();
    const measured = ahead - this.offset;
    // A known difference that the measurement does not contradict is kept, so that the time makes no small steps.
    if (Math.abs(measured - this.known) > took / 2 + ROUNDING) this.known = Math.round(measured);
    this.trusted = true;
    this.unknown = this.isOwn = false;
    this.report();
  }

  private noticeLeap(wall = this.wallClock()): void {
    const offset = wall - this.monotonic();
    const leap = offset - this.offset;
    this.offset = offset;
    if (Math.abs(leap) <= LEAP || this.isOwn) return;
    this.known -= Math.round(leap);
    this.doubt();
    if (Math.abs(leap) < CONSIDERABLE) return;
    this.logger.warn(
      `The clock of this process was put ${leap > 0 ? 'forward' : 'back'} by ${durationText(leap)}. ` +
        `This process takes its next task when it has measured the difference to the clock of ${this.deps.address}.`,
    );
  }

  /** Logs a considerable difference once, and again when it has changed by much. */
  private report(): void {
    if (Math.abs(this.known - this.reported) < CONSIDERABLE) return;
    this.reported = this.known;
    if (Math.abs(this.known) < CONSIDERABLE) {
      this.logger.log(`The clock of this process agrees with that of ${this.deps.address} again.`);
      return;
    }
    this.logger.warn(
      `The clock of this process is ${durationText(this.known)} ${this.known > 0 ? 'behind' : 'ahead of'} that of ${this.deps.address}. ` +
        "The times of tasks and schedules follow the server's clock. Correct the clock of this host, with NTP for example.",
    );
  }

  private measureLater(): void {
    clearTimeout(this.timer);
    if (this.closed) return;
    this.timer = setTimeout(() => {
      // An outage is logged by the calls that meet it.
      this.measure().catch(() => undefined);
    }, MEASURE_INTERVAL).unref();
  }
}

/** One reading of the server's clock. */
interface Sample {
  /** The server's time minus the time that passed in this process. */
  readonly ahead: number;
  /** The milliseconds of the round trip. The reading is wrong by at most half of it. */
  readonly took: number;
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
] as const;

/** A duration for people, without its sign. */
function durationText(milliseconds: number): string {
  const [unit, size] = UNITS.find(([, length]) => Math.abs(milliseconds) >= length) ?? (['s', 1_000] as const);
  return `${Number((Math.abs(milliseconds) / size).toFixed(1))} ${unit}`;
}
