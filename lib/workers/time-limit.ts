import { Interruption } from '../engine/interruption.js';
import { TaskTimeoutError } from '../errors.js';

/** How long a method may take to notice that its signal was aborted before its attempt ends without it. */
const SETTLE_TIME = 250;

/** When one attempt has to end: interrupted from outside, or when its time is up. */
export class TimeLimit {
  readonly deadline: Date | undefined;
  readonly interruption = new Interruption();
  private readonly timer: NodeJS.Timeout | undefined;
  private readonly ignoreOuter: () => void;
  private settling: NodeJS.Timeout | undefined;
  private within = (body: () => void): void => body();

  constructor(outer: Interruption, timeout: number | undefined) {
    this.ignoreOuter = outer.onRequest(() => this.interrupt(outer.reason));
    if (timeout === undefined) return;
    this.deadline = new Date(Date.now() + timeout);
    this.timer = setTimeout(() => {
      this.interrupt(new TaskTimeoutError(`The attempt took longer than its timeout of ${timeout} ms.`));
    }, timeout);
  }

  /** Why it has to end; `undefined` when it has not. */
  get reason(): unknown {
    return this.interruption.reason;
  }

  /**
   * What the call returns or throws; soon after it is interrupted, the reason, whatever the call is still doing.
   *
   * @param within runs the call, and later what listens to the signal: inside the task, with its context
   */
  race<T>(call: () => T, within: <R>(body: () => R) => R): Promise<Awaited<T>> {
    this.within = within;
    return new Promise<Awaited<T>>((resolve, reject) => {
      if (this.interruption.isRequested) return reject(this.reason);
      this.interruption.onRequest(() => {
        this.settling = setTimeout(() => reject(this.reason as Error), SETTLE_TIME);
      });
      // Inside the promise's executor, so that what a plain function throws is a rejection, too.
      Promise.resolve(within(call)).then(resolve, reject);
    });
  }

  clear(): void {
    this.ignoreOuter();
    clearTimeout(this.timer);
    clearTimeout(this.settling);
  }

  private interrupt(reason: unknown): void {
    this.within(() => this.interruption.request(reason));
  }
}
