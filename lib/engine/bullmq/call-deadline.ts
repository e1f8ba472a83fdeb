import { AsyncLocalStorage } from 'node:async_hooks';

/** A call's time is up. It means an outage: the store did not answer. */
export class TooLateError extends Error {
  override readonly name = 'TooLateError';

  constructor() {
    super('no answer');
  }
}

/** Throws {@link TooLateError} when nobody waits for the call any more. */
export type CheckDeadline = () => void;

/**
 * Until when the call that is under way is wanted. Its caller is told that it failed as soon as its time is up; so
 * whoever waited for a connection has to look here before it sends anything, or a task would be stored all the same,
 * after its caller has enqueued another in its place.
 */
export class CallDeadline {
  /** @throws TooLateError once the deadline has passed, whatever the call is still doing */
  limit<T>(deadline: number, call: (check: CheckDeadline) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new TooLateError()), Math.max(deadline - Date.now(), 0));
      const inTime =
        <A>(settle: (answer: A) => void) =>
        (answer: A) => {
          clearTimeout(timer);
          settle(answer);
        };
      call(() => refuseLate(deadline)).then(inTime(resolve), inTime(reject));
    });
  }
}

/**
 * The same, known also to pools of connections, to which BullMQ hands on nothing of ours. It costs every promise of the
 * process a little (before Node 24), so only who needs it has it.
 */
export class PoolDeadline extends CallDeadline {
  private readonly current = new AsyncLocalStorage<number>();

  override limit<T>(deadline: number, call: (check: CheckDeadline) => Promise<T>): Promise<T> {
    return super.limit(deadline, (check) => this.current.run(deadline, () => call(check)));
  }

  /** @throws TooLateError when nobody waits for the call that is under way any more */
  check(): void {
    refuseLate(this.current.getStore());
  }

  /** Calls `end` when the time of the call that is under way is up, until the returned function is called. */
  whenOver(end: () => void): () => void {
    const deadline = this.current.getStore();
    if (deadline === undefined) return () => undefined;
    const timer = setTimeout(end, Math.max(deadline - Date.now(), 0));
    return () => clearTimeout(timer);
  }
}

function refuseLate(deadline: number | undefined): void {
  if (deadline !== undefined && Date.now() >= deadline) throw new TooLateError();
}
