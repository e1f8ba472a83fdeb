import { AsyncLocalStorage } from 'node:async_hooks';
import { TaskTimeoutError } from '../errors.js';

/** How long a method may take to notice that its signal was aborted before its attempt ends without it. */
const SETTLE_TIME = 250;

/** The signal of one attempt: aborted from outside, or when its time is up. */
export class TimeLimit {
  readonly deadline: Date | undefined;
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout | undefined;
  private settling: NodeJS.Timeout | undefined;
  private inContext = (abort: () => void): void => abort();

  constructor(
    private readonly outer: AbortSignal,
    timeout: number | undefined,
  ) {
    outer.addEventListener('abort', this.forward, { once: true });
    if (outer.aborted) this.forward();
    if (timeout === undefined) return;
    this.deadline = new Date(Date.now() + timeout);
    this.timer = setTimeout(() => {
      this.abort(new TaskTimeoutError(`The attempt took longer than its timeout of ${timeout} ms.`));
    }, timeout);
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Why it was aborted; `undefined` when it was not. */
  get reason(): unknown {
    return this.controller.signal.reason;
  }

  /** What the call returns or throws; soon after the signal is aborted, its reason, whatever the call is still doing. */
  race<T>(call: () => T): Promise<Awaited<T>> {
    return new Promise<Awaited<T>>((resolve, reject) => {
      const giveUp = () => {
        this.settling = setTimeout(() => reject(this.reason as Error), SETTLE_TIME);
      };
      if (this.signal.aborted) return reject(this.reason);
      this.signal.addEventListener('abort', giveUp, { once: true });
      // Inside the promise's executor, so that what a plain function throws is a rejection, too.
      Promise.resolve(call()).then(resolve, reject);
    });
  }

  clear(): void {
    this.outer.removeEventListener('abort', this.forward);
    clearTimeout(this.timer);
    clearTimeout(this.settling);
  }

  /** What listens to the signal runs where this was called: inside the task, with its context. */
  enter(): void {
    this.inContext = AsyncLocalStorage.snapshot();
  }

  private abort(reason: unknown): void {
    this.inContext(() => this.controller.abort(reason));
  }

  private readonly forward = (): void => this.abort(this.outer.reason);
}
