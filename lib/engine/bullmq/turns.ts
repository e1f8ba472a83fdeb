import { EngineUnavailableError } from '../../errors.js';

/** Tasks that are changed one by one at the same time: half of the connections of a process on PostgreSQL. */
export const CHANGES_AT_ONCE = 5;

interface Waiting {
  /** Counts the calls in the order in which they came. */
  readonly place: number;
  start(): void;
  reject(error: unknown): void;
}

/**
 * Runs a limited number of calls to the store at a time, for calls that cannot become one (see {@link Gatherer}). The others wait for
 * their turn, in their order, and the time of a call begins with it. So thousands of callers take few connections, the workers of the
 * process find one for their own statements, and no call fails because of those before it.
 */
export class Turns {
  private readonly waiting = new Set<Waiting>();
  private places = 0;
  private underWay = 0;

  constructor(private readonly atOnce: number) {}

  /** @throws what `call` throws, or EngineUnavailableError of a call that began after this one had come */
  async take<T>(call: () => Promise<T>): Promise<T> {
    if (this.underWay >= this.atOnce) await this.turn();
    else this.underWay++;
    const begun = this.places;
    try {
      return await call();
    } catch (error) {
      if (error instanceof EngineUnavailableError) this.rejectUntil(begun, error);
      throw error;
    } finally {
      this.next();
    }
  }

  private turn(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.add({ place: this.places++, start: resolve, reject });
    });
  }

  private next(): void {
    const [next] = this.waiting;
    if (!next) {
      this.underWay--;
      return;
    }
    this.waiting.delete(next);
    next.start();
  }

  /** Rejects the calls that waited for as long as the failed one took: the store did not answer in their time either. */
  private rejectUntil(place: number, error: EngineUnavailableError): void {
    for (const waiting of this.waiting) {
      if (waiting.place >= place) return;
      this.waiting.delete(waiting);
      waiting.reject(error);
    }
  }
}
