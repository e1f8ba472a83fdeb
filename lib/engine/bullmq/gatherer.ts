import { inBatches } from '../../concurrency.js';
import { EngineUnavailableError } from '../../errors.js';
import type { BatchLimits, StoreLimits } from './driver.js';

/** Items of a batch that failed as a whole are then tried one by one, and this many of them at the same time. */
const SINGLE_CALLS_AT_ONCE = 10;

interface Waiting<T, R> {
  readonly item: T;
  /** Counts the items in the order in which they came. */
  readonly place: number;
  resolve(answer: R): void;
  reject(error: unknown): void;
}

/**
 * Gathers calls to the store: the items of one turn of the event loop become one call, by however many callers they come.
 * While as many calls are under way as the limits allow, further items wait and then share the next call. So thousands of
 * callers take few connections, and the workers of the process find one for their own statements.
 */
export class Gatherer<T, R> {
  private waiting: Waiting<T, R>[] = [];
  private places = 0;
  private underWay = 0;
  private isScheduled = false;

  /**
   * @param run answers for the items in their order: for all, or for the first ones, at least one, when the answers are large. The others then come in
   * the next call. A second call with the same items must be harmless
   * @param lengthOf the length of an item. Default: the limits have none
   */
  constructor(
    private readonly run: (items: readonly T[]) => Promise<readonly R[]>,
    private readonly limits: BatchLimits & Partial<StoreLimits>,
    private readonly lengthOf: (item: T) => number = () => 0,
  ) {}

  /** @throws what `run` throws for this item, also when it runs alone */
  call(item: T): Promise<R> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, place: this.places++, resolve, reject });
      this.schedule();
    });
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      this.start();
    });
  }

  private start(): void {
    while (this.waiting.length > 0 && this.underWay < this.limits.atOnce) {
      this.underWay++;
      void this.runTogether(this.takeBatch()).finally(() => {
        this.underWay--;
        this.start();
      });
    }
  }

  private takeBatch(): Waiting<T, R>[] {
    const { size, length = Infinity } = this.limits;
    const most = Math.min(size, this.waiting.length);
    let [count, sum] = [0, 0];
    while (count < most && sum < length) sum += this.lengthOf((this.waiting[count++] as Waiting<T, R>).item);
    return this.waiting.splice(0, count);
  }

  private async runTogether(batch: readonly Waiting<T, R>[]): Promise<void> {
    const begun = this.places;
    try {
      const answers = await this.run(batch.map(({ item }) => item));
      if (answers.length === 0) throw new Error('A call has to answer for at least one item.');
      for (const [index, answer] of answers.entries()) batch[index]?.resolve(answer);
      this.waiting.unshift(...batch.slice(answers.length));
    } catch (error) {
      if (error instanceof EngineUnavailableError) this.rejectUntil(begun, error);
      if (batch.length === 1 || error instanceof EngineUnavailableError) {
        for (const { reject } of batch) reject(error);
        return;
      }
      // One bad item made the whole call fail, so each item gets a call and an error of its own.
      await inBatches(batch, SINGLE_CALLS_AT_ONCE, async ({ item, resolve, reject }) => {
        await this.run([item]).then(([answer]) => resolve(answer as R), reject);
      });
    }
  }

  /** Rejects the items that waited for as long as the failed call took: the store did not answer in their time either. */
  private rejectUntil(place: number, error: EngineUnavailableError): void {
    const late = this.waiting.filter((waiting) => waiting.place < place);
    this.waiting = this.waiting.filter((waiting) => waiting.place >= place);
    for (const { reject } of late) reject(error);
  }
}
