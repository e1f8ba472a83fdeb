import type { PgQueryable, PgQueryResult } from 'bullmq';
import { bareError } from '../../bare-error.js';
import { markOptions } from './mark-options.js';
import { isOutage } from './outage.js';
import { dropEmptyRow, withMessages } from './patched-end-messages.js';
import { isUnreadableNumber, repairNumbers } from './repair-numbers.js';

/** Runs the queries of BullMQ's backends, so that neither an outage nor an unreadable value stops a queue. */
export class BackendQueries {
  /** @param report gets an outage that a worker waits for, and an error for each setting that was removed */
  constructor(
    private readonly pool: PgQueryable,
    private readonly report: (error: Error) => void,
  ) {}

  /** Runs a query of a queue or of a flow producer. */
  async query<R>(text: string, params?: readonly unknown[]): Promise<PgQueryResult<R>> {
    try {
      return markOptions(await this.pool.query<R>(text, params));
    } catch (error) {
      return this.repairAndRepeat<R>(error, text, params);
    }
  }

  /**
   * Runs a query of a worker. BullMQ's workers wait and try again, also when they store the end of a job, only after an
   * error with the code ECONNREFUSED; after any other error they give up. A PostgreSQL server that restarts answers
   * with other errors too, so every outage gets that code.
   */
  async queryOfWorker<R>(text: string, params?: readonly unknown[]): Promise<PgQueryResult<R>> {
    const statement = withMessages(text, params);
    try {
      return markOptions(dropEmptyRow(await this.pool.query<R>(statement, params)));
    } catch (error) {
      const repeated = this.repairAndRepeat<R>(error, statement, params);
      return dropEmptyRow(await repeated.catch((last: unknown) => this.throwToWorker(last)));
    }
  }

  /** Runs a statement of a worker that BullMQ does not know. An outage gets the same code as in {@link queryOfWorker}. */
  async ofWorker<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      return this.throwToWorker(error);
    }
  }

  /** Throws the error of a statement of a worker. An outage is reported, and gets the code for which a worker waits. */
  throwToWorker(error: unknown): never {
    if (!isOutage(error)) throw error;
    this.report(error as Error);
    throw Object.assign(bareError(error), { code: 'ECONNREFUSED' });
  }

  /** Repairs the numbers of a queue that a query could not read, and runs the query once more. */
  private async repairAndRepeat<R>(
    error: unknown,
    text: string,
    params: readonly unknown[] = [],
  ): Promise<PgQueryResult<R>> {
    // Each function of BullMQ has the queue as its first parameter.
    const [queue] = params;
    if (!isUnreadableNumber(error) || typeof queue !== 'string') throw error;
    await repairNumbers(this.pool, queue, this.report);
    return markOptions(await this.pool.query<R>(text, params));
  }
}
