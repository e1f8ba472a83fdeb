import { AsyncLocalStorage } from 'node:async_hooks';

/** A call's time is up. It means an outage: the store did not answer. */
export class TooLateError extends Error {
  override readonly name = 'TooLateError';

  constructor() {
    super('no answer');
  }
}

/**
 * Until when the call that is under way is wanted. Its caller is told that it failed as soon as its time is up; so
 * whoever waited for a connection has to look here before it sends anything, or a task would be stored all the same,
 * after its caller has enqueued another in its place.
 */
export class CallDeadline {
  private readonly current = new AsyncLocalStorage<number>();

  /** @throws TooLateError once the deadline has passed, whatever the call is still doing */
  async limit<T>(deadline: number, call: () => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new TooLateError()), Math.max(deadline - Date.now(), 0));
    });
    try {
      return await Promise.race([this.current.run(deadline, call), timeout]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** @throws TooLateError when nobody waits for this call any more */
  check(): void {
    const deadline = this.current.getStore();
    if (deadline !== undefined && Date.now() >= deadline) throw new TooLateError();
  }

  /** Calls `end` when the time of the call that is under way is up, until the returned function is called. */
  whenOver(end: () => void): () => void {
    const deadline = this.current.getStore();
    if (deadline === undefined) return () => undefined;
    const timer = setTimeout(end, Math.max(deadline - Date.now(), 0));
    return () => clearTimeout(timer);
  }
}
