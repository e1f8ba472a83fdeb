import { Logger } from '@nestjs/common';
import { ConfigurationError, EngineUnavailableError } from '../../errors.js';
import { TooLateError, type CheckDeadline } from './call-deadline.js';
import type { Driver } from './driver.js';

/** Between two attempts of a call while the store cannot be reached. */
const TRY_AGAIN_AFTER = 100;
/** Between two attempts to connect when nobody waits for it. */
const RECONNECT_AFTER = 1_000;
/** An attempt that takes longer has failed. */
const PROBE_LIMIT = 5_000;
/** How long the store may take to show that it was only one connection that broke. */
const DOUBT_LIMIT = 2_000;
/** The same message of a store is logged again after this. */
const REPEAT_AFTER = 60_000;

/** Whether the store can be reached: makes calls try again until their time is up, and says so once in the log. */
export class Availability {
  private readonly logger = new Logger('TaskQueue');
  private readonly said = new Map<string, number>();
  private lostAt: number | undefined;
  private doubted = false;
  private probing: NodeJS.Timeout | undefined;
  private readonly retries = new Set<NodeJS.Timeout>();
  private closed = false;

  constructor(
    private readonly driver: Driver,
    /** Milliseconds that one call may take in all. */
    private readonly timeout: number,
  ) {
    driver.onError((error) => this.reportError(error));
  }

  /**
   * Runs a call that may be repeated without harm, until it succeeds. What changes something checks first whether it is
   * still wanted.
   *
   * @throws EngineUnavailableError when the store cannot be reached in time
   */
  async withRetries<T>(what: string, call: (check: CheckDeadline) => Promise<T>): Promise<T> {
    const deadline = Date.now() + this.timeout;
    for (;;) {
      if (this.closed) throw new EngineUnavailableError(`${what}: the application closes.`);
      try {
        const result = await this.driver.deadline.limit(deadline, async (check) => {
          await this.connect();
          return call(check);
        });
        this.recovered();
        return result;
      } catch (error) {
        if (!(error instanceof Unreachable) && !this.isOutage(error)) throw error;
        const reason = error instanceof Unreachable ? error.cause : (error as Error);
        if (error instanceof TooLateError) this.driver.abandon();
        if (error instanceof Unreachable) this.lost(reason);
        else this.reportError(reason);
        if (reason instanceof ConfigurationError)
          throw new EngineUnavailableError(`${what}: ${reason.message}`, { cause: reason });
        if (this.closed || Date.now() + TRY_AGAIN_AFTER >= deadline) {
          throw new EngineUnavailableError(
            `${what}: ${this.driver.address} cannot be reached (${reasonOf(reason)}, tried for ${this.timeout} ms).`,
            { cause: reason },
          );
        }
        await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_AFTER));
      }
    }
  }

  /**
   * Runs `action` once the store can be reached, however long that takes; never, when closed before.
   *
   * @returns a promise that resolves after the first attempt, when it is clear that configuration is not the trouble
   * @throws ConfigurationError for what trying again cannot heal
   */
  async whenReachable(action: () => Promise<void>): Promise<void> {
    let first = true;
    const attempt = async (): Promise<void> => {
      if (this.closed) return;
      try {
        // As long as it takes: the drivers limit connecting, and migrations or a first start may need their time.
        await this.driver.connect();
        await action();
        this.recovered();
      } catch (error) {
        // Later it may be a server that is only half up, or a password that is being changed.
        if (first && error instanceof ConfigurationError) throw error;
        if (error instanceof ConfigurationError || this.isOutage(error)) this.lost(error as Error);
        else this.reportError(error as Error);
        this.later(attempt);
      } finally {
        first = false;
      }
    };
    await attempt();
  }

  /** Notes an error that nobody waits for, or that tells only of one connection: the store may still be there. */
  reportError(error: Error): void {
    if (this.closed) return;
    if (!(error instanceof ConfigurationError) && !this.isOutage(error)) {
      this.say(`${this.driver.address}: ${error.message}`);
      return;
    }
    if (this.lostAt !== undefined || this.doubted) return;
    this.doubted = true;
    this.ask(DOUBT_LIMIT)
      .then(
        () => this.say(`A connection to ${this.driver.address} broke (${reasonOf(error)}) and is made again.`),
        () => this.lost(error),
      )
      .finally(() => (this.doubted = false));
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.probing);
    for (const timer of this.retries) clearTimeout(timer);
  }

  private async connect(): Promise<void> {
    try {
      await this.driver.connect();
    } catch (error) {
      // Whatever it is, nothing has been sent yet.
      throw new Unreachable(error as Error);
    }
  }

  private isOutage(error: unknown): boolean {
    return error instanceof TooLateError || this.driver.isOutage(error);
  }

  private later(attempt: () => Promise<void>): void {
    const timer = setTimeout(() => {
      this.retries.delete(timer);
      void attempt();
    }, RECONNECT_AFTER).unref();
    this.retries.add(timer);
  }

  /** One line for an outage, however many calls and connections notice it. */
  private lost(error: Error): void {
    if (this.closed || this.lostAt !== undefined) return;
    this.lostAt = Date.now();
    this.logger.error(`${this.driver.address} cannot be reached: ${reasonOf(error)}. Trying again until it can.`);
    this.probe();
  }

  /** One after the other: a store that does not answer is not asked by ever more. */
  private probe(): void {
    this.probing = setTimeout(() => {
      this.ask(PROBE_LIMIT).then(
        () => this.recovered(),
        () => this.lostAt !== undefined && !this.closed && this.probe(),
      );
    }, RECONNECT_AFTER).unref();
  }

  private ask(limit: number): Promise<void> {
    return this.driver.deadline.limit(Date.now() + limit, () => this.driver.ping());
  }

  private recovered(): void {
    if (this.lostAt === undefined || this.closed) return;
    const seconds = ((Date.now() - this.lostAt) / 1000).toFixed(1);
    this.lostAt = undefined;
    clearTimeout(this.probing);
    this.logger.log(`${this.driver.address} can be reached again, after ${seconds} s.`);
  }

  /** What is said a thousand times is read by nobody. */
  private say(message: string): void {
    const now = Date.now();
    for (const [known, at] of this.said) if (at + REPEAT_AFTER < now) this.said.delete(known);
    if (this.said.has(message)) return;
    this.said.set(message, now);
    this.logger.warn(message);
  }
}

/** Connecting failed, for the reason in `cause`. */
class Unreachable extends Error {
  constructor(override readonly cause: Error) {
    super(cause.message);
  }
}

function reasonOf(error: Error): string {
  const { code, message } = error as { code?: string; message?: string };
  return (message || code || String(error)).replace(/\.$/, '');
}
