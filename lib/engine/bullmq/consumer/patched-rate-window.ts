import type { IQueueBackend } from 'bullmq';
import type { RateWindows } from '../driver.js';

/** Milliseconds. The answer that a limit is reached and the length of its window are measured by different clocks. */
const TOLERATED = 1_000;
/** Milliseconds between two looks at a window that seems too long: a stored limit may have a longer one than the worker declares. */
const LOOK_AGAIN_AFTER = 2_000;

export interface RateWindowDeps {
  readonly queue: string;
  readonly rateWindows: Pick<RateWindows, 'limit'>;
  /** Milliseconds: the window of the rate limit that the worker declares, if it declares one. */
  readonly window: number | undefined;
}

/**
 * Ends the window of a rate limit in time that began at a time which has not come: the clock of the store was put back since. By itself,
 * the queue would stand still until that time comes again.
 */
export function endFutureWindows(
  backend: Pick<IQueueBackend, 'moveToActive'>,
  { queue, rateWindows, window }: RateWindowDeps,
): void {
  const moveToActive = backend.moveToActive.bind(backend);
  let lookedAt = -Infinity;
  // It runs for each job that a worker asks for, so it makes no promise of its own.
  backend.moveToActive = (...args) => {
    const answer = moveToActive(...args);
    void answer.then(
      ([, , limitedFor]) => {
        if (!(Number(limitedFor) > (window ?? 0) + TOLERATED)) return;
        const now = performance.now();
        if (now - lookedAt < LOOK_AGAIN_AFTER) return;
        lookedAt = now;
        // While the server cannot be reached, no job is taken anyway.
        rateWindows.limit(queue, window).catch(() => undefined);
      },
      () => undefined,
    );
    return answer;
  };
}
