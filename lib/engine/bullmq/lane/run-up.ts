/** Milliseconds. A worker that asks again within this time fills its places. One that takes longer is busy with its tasks. */
const AT_ONCE = 10;
/** With fewer jobs, a call of BullMQ's own function is faster. */
const FEWEST_JOBS = 4;
/**
 * Milliseconds between two calls that take jobs for batches, when the first one has emptied the queue. PostgreSQL
 * plans the statement of each call anew, however few jobs it takes.
 */
const GATHERING = 10;

/**
 * Decides how many jobs a worker takes at once while it fills its places. BullMQ's worker asks for one at a time, a hundred times
 * for a hundred places. From the third job on it gets twice as many each time: a process that takes all that it has places for
 * would keep them from other processes, although its first task may block it. Jobs that wait for a batch block nothing, so a worker
 * takes them all at once.
 */
export class RunUp {
  private inARow = 0;
  private lastNumber = -1;
  private lastAt = 0;
  private foundFewer = false;

  /** @param runsBatches whether the worker runs its jobs in batches */
  constructor(private readonly runsBatches = false) {}

  /**
   * @param free the places that are free beside that of this token
   * @returns the tokens to take jobs for, beginning with this one
   */
  tokens(token: string, free: number): string[] {
    // BullMQ's worker asks with its id, a colon, and a number that it counts up.
    const colon = token.lastIndexOf(':');
    const place = Number(token.slice(colon + 1));
    // The worker reuses a token for the next job of a place, and then counts on from another.
    const isNew = place > this.lastNumber;
    if (colon === -1 || !isNew) return [token];
    this.lastNumber = place;
    if (performance.now() - this.lastAt > AT_ONCE) this.inARow = 0;
    const most = this.runsBatches ? 1 + free : Math.min(1 + free, 2 * this.inARow);
    if (most < FEWEST_JOBS) return [token];
    return Array.from({ length: most }, (_, ahead) => `${token.slice(0, colon + 1)}${place + ahead}`);
  }

  /** The worker waits, because the queue is empty. For jobs that come one by one, a call that takes one is faster. */
  waits(): void {
    this.inARow = 0;
  }

  /** Milliseconds for which jobs that come for the next batch are gathered, before the worker takes them with one call. */
  pause(): number {
    return this.runsBatches && this.foundFewer ? Math.max(GATHERING - (performance.now() - this.lastAt), 0) : 0;
  }

  /**
   * @param count how many jobs the worker got: for the first ones of its tokens
   * @param asked for how many it asked
   */
  took(count: number, asked: number): void {
    this.lastNumber += Math.max(count - 1, 0);
    this.foundFewer = count < asked;
    this.inARow = count === 0 ? 0 : this.inARow + count;
    this.lastAt = performance.now();
  }
}
