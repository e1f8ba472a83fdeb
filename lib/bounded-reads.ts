import { endsWithin } from './concurrency.js';

/** Reading took longer than the probe may wait. */
export class NoAnswerError extends Error {
  constructor(limit: number) {
    super(`The engine did not answer within ${limit} ms.`);
  }
}

/**
 * Reads for probes, each in a bounded time. Probes come again and again, so those that ask for the same share one reading: an engine
 * that hangs does not get more and more requests.
 */
export class BoundedReads {
  private readonly pending = new Map<string, Promise<unknown>>();

  /**
   * @param what names what is read
   * @param limit milliseconds
   * @throws NoAnswerError, and what `read` throws
   */
  async read<T>(what: string, limit: number, read: () => Promise<T>): Promise<T> {
    let reading = this.pending.get(what) as Promise<T> | undefined;
    if (!reading) {
      reading = read().finally(() => this.pending.delete(what));
      this.pending.set(what, reading);
    }
    if (await endsWithin(reading, limit)) return reading;
    throw new NoAnswerError(limit);
  }
}
