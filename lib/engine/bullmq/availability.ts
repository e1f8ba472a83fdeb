import { ConfigurationError, EngineUnavailableError } from '../../errors.js';
import { bareError } from '../bare-error.js';
import { closedError } from '../closed-error.js';
import { withRefusal } from '../refusal.js';
import { isOutage, TooLateError, type CheckDeadline } from './call-deadline.js';
import type { Driver } from './driver.js';
import { unavailableError } from './outage-texts.js';
import { Outages, PING_LIMIT } from './outages.js';

/** Milliseconds between two attempts of a call while the store cannot be reached. */
const TRY_AGAIN_AFTER = 100;
/** Milliseconds between two attempts to connect when no caller waits for them. */
const RECONNECT_AFTER = 1_000;

/** Repeats calls to a store that cannot be reached until their time is over, and tells {@link Outages} what it learns. */
export class Availability {
  private readonly outages: Outages;
  private pinging: Promise<void> | undefined;
  private readonly retryTimers = new Set<NodeJS.Timeout>();
  private closed = false;

  constructor(
    private readonly driver: Driver,
    /** Milliseconds that one call may take, with all its attempts. */
    private readonly timeout: number,
  ) {
    this.outages = new Outages(driver, (limit) => this.pingWithin(limit));
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
        this.outages.recordSuccess(what);
        return result;
      } catch (error) {
        if (!(error instanceof ConnectFailed) && !isOutage(this.driver, error)) throw bareError(error);
        const reason = error instanceof ConnectFailed ? error.cause : (error as Error);
        if (error instanceof TooLateError) this.driver.abandon();
        if (error instanceof ConnectFailed) this.outages.report(reason, what);
        else this.outages.suspect(reason, what);
        if (reason instanceof ConfigurationError) throw this.failure(what, reason);
        if (this.closed) throw closedError(what, bareError(reason));
        if (!(reason instanceof TooLateError)) answer = reason;
        if (performance.now() + TRY_AGAIN_AFTER >= deadline) {
          // A store that answers pings and refused the call all the time is an outage too.
          if (!(error instanceof TooLateError)) this.outages.report(reason, what);
          throw this.failure(what, answer ?? reason, `, tried for ${this.timeout} ms`);
        }
        await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_AFTER));
      }
    }
  }

  /**
   * Asks the store for an answer, once. All callers share one ping, so that pings do not pile up at a store that hangs.
   *
   * @throws EngineUnavailableError when the store does not answer within {@link PING_LIMIT}, or refuses other calls
   */
  async ping(): Promise<void> {
    if (this.closed) throw closedError('ping');
    this.pinging ??= this.pingWithin(PING_LIMIT).finally(() => (this.pinging = undefined));
    try {
      await this.pinging;
    } catch (error) {
      throw this.failure('ping', error as Error);
    }
    const refused = this.outages.refusedCalls();
    if (!refused) return;
    throw withRefusal(
      new EngineUnavailableError(
        `ping: ${this.driver.address} answers, but refuses other calls (${refused.kinds.join(', ')}).`,
      ),
      refused.trouble === 'outage' ? 'refuses' : 'forbidden',
    );
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
        this.outages.recordSuccess();
      } catch (error) {
        // In a later attempt the server may be half started, or its password is just being changed.
        if (first && error instanceof ConfigurationError) throw error;
        if (error instanceof ConfigurationError || isOutage(this.driver, error)) this.outages.report(error as Error);
        else this.reportError(error as Error);
        this.retryLater(attempt);
      } finally {
        first = false;
      }
    };
    await attempt();
  }

  /** Tells of an error that no caller waits for, or that may concern one connection only. */
  reportError(error: Error): void {
    this.outages.suspect(error);
  }

  close(): void {
    this.closed = true;
    this.outages.close();
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

  private retryLater(attempt: () => Promise<void>): void {
    const timer = setTimeout(() => {
      this.retryTimers.delete(timer);
      void attempt();
    }, RECONNECT_AFTER).unref();
    this.retryTimers.add(timer);
  }

  private pingWithin(limit: number): Promise<void> {
    return this.driver.deadline.limit(performance.now() + limit, () => this.driver.ping());
  }

  private failure(what: string, error: Error, tried?: string): EngineUnavailableError {
    return unavailableError(this.driver, what, error, tried);
  }
}

/** The driver could not connect; `cause` is its error. */
class ConnectFailed extends Error {
  constructor(override readonly cause: Error) {
    super(cause.message);
  }
}
