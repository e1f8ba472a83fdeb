import { ConfigurationError, EngineUnavailableError } from '../../errors.js';
import { closedError } from '../closed-error.js';
import { bareError, bareMessage } from '../bare-error.js';
import { withRefusal, type Refusal } from '../refusal.js';
import { TooLateError, type CheckDeadline } from './call-deadline.js';
import type { Driver } from './driver.js';
import { OnceInAWhile } from '../../once-in-a-while.js';
import { PackageLogger } from '../../package-logger.js';

/** Milliseconds between two attempts of a call while the store cannot be reached. */
const TRY_AGAIN_AFTER = 100;
/** Milliseconds between two attempts to connect when no caller waits for them. */
const RECONNECT_AFTER = 1_000;
/** Milliseconds after which a ping to a store that cannot be reached has failed. */
const PROBE_LIMIT = 5_000;
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
 * Knows whether the store can be reached. It repeats calls until their time is over, and logs one line when an outage
 * begins and one when it ends. An outage ends only when the store has answered for a while without a failure: otherwise
 * a store that answers some calls and refuses others would fill the log.
 */
export class Availability {
  private readonly logger = new PackageLogger();
  private readonly warnings = new OnceInAWhile(REPEAT_AFTER, MOST_WARNINGS);
  private outage: Outage | undefined;
  private lastOutageEnd = -Infinity;
  /** Whether a ping is finding out if a broken connection was the start of an outage. */
  private isInDoubt = false;
  private probeTimer: NodeJS.Timeout | undefined;
  private pinging: Promise<void> | undefined;
  private readonly retryTimers = new Set<NodeJS.Timeout>();
  private closed = false;

  constructor(
    private readonly driver: Driver,
    /** Milliseconds that one call may take, with all its attempts. */
    private readonly timeout: number,
  ) {
    driver.onError((error) => this.reportError(error));
  }

  /**
   * Runs a call until it succeeds. Repeating the call must be harmless. A call that changes something has to call
   * `check` right before it sends the change: `check` throws when the time of the call is over.
   *
   * @param what names the call in errors
   * @throws EngineUnavailableError when the store cannot be reached in time, and at once after {@link close}
   */
  async withRetries<T>(what: string, call: (check: CheckDeadline) => Promise<T>): Promise<T> {
    const deadline = performance.now() + this.timeout;
    /** What the store said in the last attempt that got an answer. It tells more than that a later attempt got none. */
    let answer: Error | undefined;
    for (;;) {
      if (this.closed) throw closedError(what);
      try {
        const result = await this.driver.deadline.limit(deadline, (check) => {
          const connecting = this.connect();
          return connecting ? connecting.then(() => call(check)) : call(check);
        });
        this.recordSuccess(what);
        return result;
      } catch (error) {
        if (!(error instanceof ConnectFailed) && !this.isOutage(error)) throw bareError(error);
        const reason = error instanceof ConnectFailed ? error.cause : (error as Error);
        if (error instanceof TooLateError) this.driver.abandon();
        if (error instanceof ConnectFailed) this.reportOutage(reason, what);
        else this.reportError(reason, what);
        if (reason instanceof ConfigurationError) throw this.failure(what, reason);
        if (this.closed) throw closedError(what, bareError(reason));
        if (!(reason instanceof TooLateError)) answer = reason;
        if (performance.now() + TRY_AGAIN_AFTER >= deadline) {
          // A store that answers pings and refused the call all the time is an outage too.
          if (!(error instanceof TooLateError)) this.reportOutage(reason, what);
          throw this.failure(what, answer ?? reason, `, tried for ${this.timeout} ms`);
        }
        await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_AFTER));
      }
    }
  }

  /**
   * Asks the store for an answer, once. All callers share one ping, so that pings do not pile up at a store that hangs.
   *
   * @throws EngineUnavailableError when the store does not answer within {@link PROBE_LIMIT}, or refuses other calls
   */
  async ping(): Promise<void> {
    if (this.closed) throw closedError('ping');
    this.pinging ??= this.pingWithin(PROBE_LIMIT).finally(() => (this.pinging = undefined));
    try {
      await this.pinging;
    } catch (error) {
      throw this.failure('ping', error as Error);
    }
    const { hasRelapsed, failing, told } = this.outage ?? {};
    if (hasRelapsed && failing && failing.size > 0) {
      const error = new EngineUnavailableError(
        `ping: ${this.driver.address} answers, but refuses other calls (${[...failing].join(', ')}).`,
      );
      throw withRefusal(error, told?.has('outage') ? 'refuses' : 'forbidden');
    }
  }

  /**
   * Runs `action` once the store can be reached, however long that takes. After {@link close}, `action` does not run
   * any more.
   *
   * @returns a promise that resolves after the first attempt, unless that shows an error in the configuration
   * @throws ConfigurationError when the first attempt fails and another attempt cannot help
   */
  async whenReachable(action: () => Promise<void>): Promise<void> {
    let first = true;
    const attempt = async (): Promise<void> => {
      if (this.closed) return;
      try {
        // Without a limit: the drivers limit the time to connect, and a migration or a first start may take long.
        await this.connectOnce();
        await action();
        this.recordSuccess();
      } catch (error) {
        // In a later attempt the server may be half started, or its password is just being changed.
        if (first && error instanceof ConfigurationError) throw error;
        if (error instanceof ConfigurationError || this.isOutage(error)) this.reportOutage(error as Error);
        else this.reportError(error as Error);
        this.retryLater(attempt);
      } finally {
        first = false;
      }
    };
    await attempt();
  }

  /**
   * Logs an error that no caller waits for, or that may concern one connection only. A ping then finds out whether the
   * store can still be reached.
   *
   * @param what names the kind of call that failed, if it was a call
   */
  reportError(error: Error, what?: string): void {
    if (this.closed) return;
    if (!(error instanceof ConfigurationError) && !this.isOutage(error)) {
      this.warnOnce(`${this.driver.address}: ${bareMessage(error)}`);
      return;
    }
    // The store has answered, so it need not be asked if it can be reached.
    if (this.driver.isForbidden(error)) return this.reportOutage(error, what);
    if (this.outage?.told.has('outage')) return this.recordFailure(this.outage, what);
    if (this.isInDoubt) return;
    this.isInDoubt = true;
    this.pingWithin(DOUBT_LIMIT)
      .then(
        () => {
          this.driver.clock.doubt();
          const { address } = this.driver;
          this.warnOnce(
            this.driver.isAnswer(error)
              ? `${address} has refused ${what ?? 'a call'} (${reasonOf(error)}). It is tried again.`
              : `A connection to ${address} broke (${reasonOf(error)}). A new one is made.`,
          );
        },
        () => this.reportOutage(error, what),
      )
      .finally(() => (this.isInDoubt = false));
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.probeTimer);
    for (const timer of this.retryTimers) clearTimeout(timer);
  }

  private connect(): Promise<void> | undefined {
    return this.connectOnce()?.catch((error: unknown) => {
      // Any error means an outage here, because the call has not sent anything yet.
      throw new ConnectFailed(error as Error);
    });
  }

  /**
   * The first call on a server, and the first after an outage, also asks the server for its time.
   *
   * @returns nothing when both are done
   */
  private connectOnce(): Promise<void> | undefined {
    const { clock } = this.driver;
    const measured = () => (clock.isTrusted ? undefined : clock.measure());
    const connecting = this.driver.connect();
    return connecting ? connecting.then(measured) : measured();
  }

  private isOutage(error: unknown): boolean {
    return error instanceof TooLateError || this.driver.isOutage(error);
  }

  private retryLater(attempt: () => Promise<void>): void {
    const timer = setTimeout(() => {
      this.retryTimers.delete(timer);
      void attempt();
    }, RECONNECT_AFTER).unref();
    this.retryTimers.add(timer);
  }

  /** Logs one line for each outage and each {@link Trouble}, however many calls and connections notice it, and pings the store. */
  private reportOutage(error: Error, what?: string): void {
    if (this.closed) return;
    const trouble = this.driver.isForbidden(error) ? 'refusal' : 'outage';
    const outage = (this.outage ??= this.beginOutage());
    if (!outage.told.has(trouble)) {
      outage.told.add(trouble);
      if (trouble === 'outage') outage.isAnswered = this.driver.isAnswer(error);
      this.logger.error(this.beginning(error, what));
    }
    this.recordFailure(outage, what);
    if (trouble === 'outage') this.driver.clock.doubt();
  }

  private beginOutage(): Outage {
    const now = performance.now();
    this.probeLater();
    return {
      since: now,
      told: new Set(),
      isAnswered: false,
      isRecurrence: now - this.lastOutageEnd < REPEAT_AFTER,
      lastFailure: now,
      answeredAt: undefined,
      hasRelapsed: false,
      failing: new Set(),
    };
  }

  private beginning(error: Error, what = 'a call'): string {
    const { address } = this.driver;
    // The message has the address, and may end with a command to run.
    if (error instanceof ConfigurationError) return `Trying again until the tasks can be used: ${error.message}`;
    if (this.driver.isForbidden(error)) {
      return (
        `${address} refuses ${what}: ${reasonOf(error)}. Trying again until this process may do that: ` +
        '"Roles and rights" in docs/running.md has the rights that it needs.'
      );
    }
    if (this.driver.isAnswer(error))
      return `${address} answers and refuses ${what}: ${reasonOf(error)}. Trying again until it takes calls.`;
    return `${address} cannot be reached: ${reasonOf(error)}. Trying again until it can.`;
  }

  /** The error of a call. @param tried what was tried until then */
  private failure(what: string, error: Error, tried = ''): EngineUnavailableError {
    const { address } = this.driver;
    const problem = this.driver.isForbidden(error) || this.driver.isAnswer(error) ? 'refuses it' : 'cannot be reached';
    const text =
      error instanceof ConfigurationError ? error.message : `${address} ${problem} (${reasonOf(error)}${tried}).`;
    return withRefusal(
      new EngineUnavailableError(`${what}: ${text}`, { cause: bareError(error) }),
      this.refusalOf(error),
    );
  }

  private refusalOf(error: Error): Refusal | undefined {
    if (this.driver.isForbidden(error)) return 'forbidden';
    if (!(error instanceof ConfigurationError)) return this.driver.isAnswer(error) ? 'refuses' : undefined;
    // Its cause is what the store said, for example that a password is wrong.
    return this.driver.isForbidden(error.cause ?? error) ? 'forbidden' : 'refuses';
  }

  private recordFailure(outage: Outage, what?: string): void {
    if (outage.answeredAt !== undefined) outage.hasRelapsed = true;
    outage.answeredAt = undefined;
    outage.lastFailure = performance.now();
    if (what !== undefined) outage.failing.add(what);
  }

  private recordSuccess(what?: string): void {
    if (!this.outage) return;
    this.outage.answeredAt ??= performance.now();
    if (what !== undefined) this.outage.failing.delete(what);
  }

  /**
   * Pings the store until the outage is over. Sends the next ping only after the last one has ended, so that pings do
   * not pile up at a store that does not answer.
   */
  private probeLater(): void {
    this.probeTimer = setTimeout(() => {
      this.pingWithin(PROBE_LIMIT)
        .then(
          () => this.recordSuccess(),
          () => this.outage && this.recordFailure(this.outage),
        )
        .finally(() => {
          this.reportRecovery();
          if (this.outage && !this.closed) this.probeLater();
        });
    }, RECONNECT_AFTER).unref();
  }

  private pingWithin(limit: number): Promise<void> {
    return this.driver.deadline.limit(performance.now() + limit, () => this.driver.ping());
  }

  /** Logs one line when the store has answered for a while without a failure. */
  private reportRecovery(): void {
    if (!this.outage || this.closed) return;
    const { since, told, isAnswered, isRecurrence, lastFailure, answeredAt, hasRelapsed, failing } = this.outage;
    const isSlow = isRecurrence || told.has('refusal') || (hasRelapsed && failing.size > 0);
    const steadyFor = isSlow ? STEADY_AFTER_RELAPSE : STEADY_FOR;
    const now = performance.now();
    if (answeredAt === undefined || now - lastFailure < steadyFor) return;
    this.outage = undefined;
    this.lastOutageEnd = now;
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

/** The driver could not connect; `cause` is its error. */
class ConnectFailed extends Error {
  constructor(override readonly cause: Error) {
    super(cause.message);
  }
}

function reasonOf(error: Error): string {
  return bareMessage(error).replace(/\.$/, '');
}
