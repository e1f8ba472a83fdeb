import { AsyncLocalStorage } from 'node:async_hooks';

/** The time of a call is over. It counts as an outage, because the store did not answer. */
export class TooLateError extends Error {
  override readonly name = 'TooLateError';

  constructor() {
    super('no answer');
  }
}

/** Whether a call failed because the store cannot be reached or did not answer, so that another attempt may help. */
export function isOutage(driver: { isOutage(error: unknown): boolean }, error: unknown): boolean {
  return error instanceof TooLateError || driver.isOutage(error);
}

/** Throws {@link TooLateError} when the time of the call is over. */
export type CheckDeadline = () => void;

/**
 * Limits the time of a call. The call is rejected as soon as its time is over, but its code goes on. So code that
 * waited for a connection has to check the deadline before it sends anything. Otherwise it would still store the task,
 * after its caller has enqueued another task in its place.
 */
export class CallDeadline {
  /** @throws TooLateError once the deadline has passed, whatever the call is still doing */
  limit<T>(deadline: number, call: (check: CheckDeadline) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new TooLateError()), Math.max(deadline - performance.now(), 0));
      const inTime =
        <A>(settle: (answer: A) => void) =>
        (answer: A) => {
          clearTimeout(timer);
          settle(answer);
        };
      begin(call, deadline).then(inTime(resolve), inTime(reject));
    });
  }
}

/**
 * The same for drivers with a pool of connections. BullMQ passes no argument of a caller on to its pool, so the pool
 * gets the deadline from an `AsyncLocalStorage`. Before Node 24 that makes every promise of the process a little
 * slower, so other drivers use {@link CallDeadline}.
 */
export class PoolDeadline extends CallDeadline {
  private readonly current = new AsyncLocalStorage<number>();

  override limit<T>(deadline: number, call: (check: CheckDeadline) => Promise<T>): Promise<T> {
    return super.limit(deadline, (check) => this.current.run(deadline, () => call(check)));
  }

  /** @throws TooLateError when the time of the current call is over */
  check(): void {
    refuseLate(this.current.getStore());
  }

  /**
   * Calls `end` when the time of the current call is over.
   *
   * @param early milliseconds by which `end` is called earlier, but not before three quarters of the time are over
   * @returns cancels that
   */
  whenOver(end: () => void, early = 0): () => void {
    const deadline = this.current.getStore();
    if (deadline === undefined) return () => undefined;
    const left = Math.max(deadline - performance.now(), 0);
    const timer = setTimeout(end, left - Math.min(early, left / 4));
    return () => clearTimeout(timer);
  }
}

/** A call that throws before it returns a promise is rejected, too. */
function begin<T>(call: (check: CheckDeadline) => Promise<T>, deadline: number): Promise<T> {
  try {
    return call(() => refuseLate(deadline));
  } catch (error) {
    return Promise.reject(error);
  }
}

function refuseLate(deadline: number | undefined): void {
  if (deadline !== undefined && performance.now() >= deadline) throw new TooLateError();
}
