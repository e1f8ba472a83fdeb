import { bareError, bareMessage } from '../../engine/bare-error.js';
import { ConfigurationError } from '../../errors.js';
import { missingTable, type TableFigures } from './outbox-database.js';
import type { Dialect } from './outbox-table.js';

/** The parts of an outbox in a database that sends no message about a commit, and cannot be asked whether a transaction is open. */
export abstract class PolledOutbox {
  abstract readonly dialect: Dialect;

  constructor(
    /** The database, without its password. */
    readonly address: string,
    protected readonly table: string,
  ) {}

  isOpen(): Promise<boolean> {
    return Promise.resolve(false);
  }

  listen(): void {
    // Polling finds the rows.
  }

  protected tableIsMissing(error: unknown): ConfigurationError {
    return new ConfigurationError(missingTable(this.table, this.address, this.dialect), { cause: bareError(error) });
  }

  /** @param error tells what the database says of its columns */
  protected isAnotherTable(error: unknown): ConfigurationError {
    return new ConfigurationError(
      `The table ${this.table} in ${this.address} is not that of this package: ${bareMessage(error)}. Give another name with outbox: { table }.`,
      { cause: bareError(error) },
    );
  }
}

/** @param rows one for each queue, with the columns `queue`, `calls`, `age`, `rejected` and `newer`, as the driver reads them */
export function figuresOf(rows: readonly Readonly<Record<string, unknown>>[]): TableFigures {
  return {
    queues: rows
      .filter(({ calls }) => Number(calls) > 0)
      .map(({ queue, calls, age }) => ({
        queue: String(queue),
        calls: Number(calls),
        age: Math.max(Number(age), 0),
      })),
    rejected: rows.reduce((sum, { rejected }) => sum + Number(rejected), 0),
    newer: rows.reduce((sum, { newer }) => sum + Number(newer), 0),
  };
}
