import { Interruption } from '../engine/interruption.js';
import { TaskTimeoutError } from '../errors.js';

/** Milliseconds that a method may go on after its signal was aborted. Then its attempt ends without it. */
const ABORT_GRACE = 250;

/** Ends one attempt when its delivery is interrupted, or when its timeout is over. */
export class TimeLimit {
  readonly deadline: Date | undefined;
  readonly interruption = new Interruption();
  private readonly timer: NodeJS.Timeout | undefined;
  private readonly stopListening: () => void;
  private graceTimer: NodeJS.Timeout | undefined;
  private runInContext = (body: () => void): void => body();

  /**
   * @param delivery the interruption of the delivery
   * @param timeout milliseconds; `undefined` for no limit
   */
  constructor(delivery: Interruption, timeout: number | undefined) {
    this.stopListening = delivery.onRequest(() => this.interrupt(delivery.reason));
    if (timeout === undefined) return;
    this.deadline = new Date(Date.now() + timeout);
    this.timer = setTimeout(() => {
      this.interrupt(new TaskTimeoutError(`The attempt took longer than its timeout of ${timeout} ms.`));
    }, timeout);
  }

  /** The reason why the attempt has to end; `undefined` when it may go on. */
  get reason(): unknown {
    return this.interruption.reason;
  }

  /**
   * Resolves or rejects as the call does. After an interruption, the call has {@link ABORT_GRACE} to end; then the
   * promise is rejected with the reason, and whatever the call returns or throws later is ignored.
   *
   * @param runInContext runs the call with the context of the task, and later the listeners of the signal
   */
  race<T>(call: () => T, runInContext: <R>(body: () => R) => R): Promise<Awaited<T>> {
    this.runInContext = runInContext;
    return new Promise<Awaited<T>>((resolve, reject) => {
      if (this.interruption.isRequested) return reject(this.reason);
      this.interruption.onRequest(() => {
        this.graceTimer = setTimeout(() => reject(this.reason as Error), ABORT_GRACE);
      });
      // Inside the executor of the promise, so that an error which a synchronous method throws rejects the promise too.
      Promise.resolve(runInContext(call)).then(resolve, reject);
    });
  }

  clear(): void {
    this.stopListening();
    clearTimeout(this.timer);
    clearTimeout(this.graceTimer);
  }

  private interrupt(reason: unknown): void {
    this.runInContext(() => this.interruption.request(reason));
  }
}
