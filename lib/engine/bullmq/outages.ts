import { ConfigurationError } from '../../errors.js';
import { OnceInAWhile } from '../../once-in-a-while.js';
import { PackageLogger } from '../../package-logger.js';
import { bareMessage } from '../bare-error.js';
import { isOutage } from './call-deadline.js';
import type { Driver } from './driver.js';
import { beginningOf, hiccupOf } from './outage-texts.js';

/** Milliseconds between two pings during an outage. */
const PING_AGAIN_AFTER = 1_000;
/** Milliseconds after which a ping to a store that cannot be reached has failed. */
export const PING_LIMIT = 5_000;
/** Milliseconds in which the store has to answer a ping after a connection broke. Otherwise it cannot be reached. */
const DOUBT_LIMIT = 2_000;
/** Milliseconds without a failure after which an outage is over, if the store answers pings until then. */
const STEADY_FOR = 5_000;
/**
 * The same for an outage that began soon after another, for a store that refuses what this process may not do, and for one that
 * has failed again after it had answered. The latter answers pings and refuses calls, for example because it is read-only:
 * {@link STEADY_FOR} applies to it as soon as every kind of call that failed has succeeded.
 */
const STEADY_AFTER_RELAPSE = 30_000;
/** Milliseconds after which the same warning is logged again. */
const REPEAT_AFTER = 60_000;
/** Different warnings in that time. An error of a store may name a task. */
const MOST_WARNINGS = 100;

/** Why calls fail: the store cannot be reached or cannot serve anybody, or it refuses what this process may not do. */
type Trouble = 'outage' | 'refusal';

/** An outage that was logged and is not over. */
interface Outage {
  readonly since: number;
  /** What was logged of it. */
  readonly told: Set<Trouble>;
  /** Whether the log says that the store was reached, and took no calls. */
  isAnswered: boolean;
  /** Whether the outage before ended less than {@link REPEAT_AFTER} earlier. */
  readonly isRecurrence: boolean;
  lastFailure: number;
  /** The time of the first success since the last failure; `undefined` when there was none. */
  answeredAt: number | undefined;
  /** Whether the store failed again after it had answered. */
  hasRelapsed: boolean;
  /** The kinds of calls that failed and have not succeeded since. */
  readonly failing: Set<string>;
}

/**
 * Logs one line when an outage begins and one when it ends, however many calls and connections notice it. An outage ends only when the
 * store has answered for a while without a failure: otherwise a store that answers some calls and refuses others would fill the log.
 */
export class Outages {
  private readonly logger = new PackageLogger();
  private readonly warnings = new OnceInAWhile(REPEAT_AFTER, MOST_WARNINGS);
  private outage: Outage | undefined;
  private lastEnd = -Infinity;
  /** Whether a ping is finding out if a broken connection was the start of an outage. */
  private isInDoubt = false;
  private pingTimer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(
    private readonly driver: Driver,
    /** Pings the store. Its parameter is the time in milliseconds within which the store has to answer. */
    private readonly pingWithin: (limit: number) => Promise<void>,
  ) {}

  /**
   * An error that no caller waits for, or that may concern one connection only. A ping then finds out whether the store can
   * still be reached.
   *
   * @param what names the kind of call that failed, if it was a call
   */
  suspect(error: Error, what?: string): void {
    if (this.closed) return;
    const { driver } = this;
    if (!(error instanceof ConfigurationError) && !isOutage(driver, error)) {
      this.warnOnce(`${driver.address}: ${bareMessage(error)}`);
      return;
    }
    // The store has answered, so it need not be asked if it can be reached.
    if (driver.isForbidden(error)) return this.report(error, what);
    if (this.outage?.told.has('outage')) return this.recordFailure(this.outage, what);
    if (this.isInDoubt) return;
    this.isInDoubt = true;
    this.pingWithin(DOUBT_LIMIT)
      .then(
        () => {
          driver.clock.doubt();
          this.warnOnce(hiccupOf(driver, error, what));
        },
        () => this.report(error, what),
      )
      .finally(() => (this.isInDoubt = false));
  }

  /** An error that shows an outage. @param what names the kind of call that failed, if it was a call */
  report(error: Error, what?: string): void {
    if (this.closed) return;
    const { driver } = this;
    const trouble = driver.isForbidden(error) ? 'refusal' : 'outage';
    const outage = (this.outage ??= this.begin());
    if (!outage.told.has(trouble)) {
      outage.told.add(trouble);
      if (trouble === 'outage') outage.isAnswered = driver.isAnswer(error);
      this.logger.error(beginningOf(driver, error, what));
    }
    this.recordFailure(outage, what);
    if (trouble === 'outage') driver.clock.doubt();
  }

  /** @param what names the kind of call that succeeded */
  recordSuccess(what?: string): void {
    if (!this.outage) return;
    this.outage.answeredAt ??= performance.now();
    if (what !== undefined) this.outage.failing.delete(what);
  }

  /** What a store that answers pings refuses all the same; `undefined` when there is nothing. */
  refusedCalls(): { readonly kinds: readonly string[]; readonly trouble: Trouble } | undefined {
    const { hasRelapsed, failing, told } = this.outage ?? {};
    if (!hasRelapsed || !failing || failing.size === 0) return undefined;
    return { kinds: [...failing], trouble: told?.has('outage') ? 'outage' : 'refusal' };
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.pingTimer);
  }

  private begin(): Outage {
    const now = performance.now();
    this.pingLater();
    return {
      since: now,
      told: new Set(),
      isAnswered: false,
      isRecurrence: now - this.lastEnd < REPEAT_AFTER,
      lastFailure: now,
      answeredAt: undefined,
      hasRelapsed: false,
      failing: new Set(),
    };
  }

  private recordFailure(outage: Outage, what?: string): void {
    if (outage.answeredAt !== undefined) outage.hasRelapsed = true;
    outage.answeredAt = undefined;
    outage.lastFailure = performance.now();
    if (what !== undefined) outage.failing.add(what);
  }

  /**
   * Pings the store until the outage is over. Sends the next ping only after the last one has ended, so that pings do
   * not pile up at a store that does not answer.
   */
  private pingLater(): void {
    this.pingTimer = setTimeout(() => {
      this.pingWithin(PING_LIMIT)
        .then(
          () => this.recordSuccess(),
          () => this.outage && this.recordFailure(this.outage),
        )
        .finally(() => {
          this.endIfSteady();
          if (this.outage && !this.closed) this.pingLater();
        });
    }, PING_AGAIN_AFTER).unref();
  }

  /** Logs one line when the store has answered for a while without a failure. */
  private endIfSteady(): void {
    if (!this.outage || this.closed) return;
    const { since, told, isAnswered, isRecurrence, lastFailure, answeredAt, hasRelapsed, failing } = this.outage;
    const isSlow = isRecurrence || told.has('refusal') || (hasRelapsed && failing.size > 0);
    const steadyFor = isSlow ? STEADY_AFTER_RELAPSE : STEADY_FOR;
    const now = performance.now();
    if (answeredAt === undefined || now - lastFailure < steadyFor) return;
    this.outage = undefined;
    this.lastEnd = now;
    const seconds = ((answeredAt - since) / 1000).toFixed(1);
    // That a store answers pings says nothing about a right, and perhaps no call has needed it since.
    this.logger.log(
      told.has('outage')
        ? `${this.driver.address} ${isAnswered ? 'takes calls' : 'can be reached'} again, after ${seconds} s.`
        : `${this.driver.address} has refused nothing for ${steadyFor / 1_000} s.`,
    );
  }

  /** Logs a warning at most once in {@link REPEAT_AFTER}, so that the log stays readable. */
  private warnOnce(message: string): void {
    if (this.warnings.isDue(message)) this.logger.warn(message);
  }
}
