/**
 * PostgreSQL tells without reading a value how many bytes it has on the disk. Above this size they may be compressed, to a tenth
 * mostly at best.
 */
const STORED_AS_IS = 1_500;
/**
 * Bytes of the jobs that one statement reads; the last one may exceed them. For a hundred jobs of a megabyte the server takes longer than a
 * statement may take.
 */
const LARGEST_READ = 4_000_000;

/** A row of a statement that {@link inBytes} has bounded. A bigint is a text. */
export interface BoundedRow {
  /** How many rows the statement has without the bound. */
  readonly of: string;
}

/** An SQL expression for the bytes of columns of a row. */
export function bytesOf(...columns: readonly string[]): string {
  return columns
    .map(
      (column) =>
        `COALESCE(CASE WHEN pg_column_size(${column}) > ${STORED_AS_IS} THEN 10::bigint ELSE 1 END * pg_column_size(${column}), 0)`,
    )
    .join(' + ');
}

/**
 * The first rows of an SQL statement that gives jobs: as many as have {@link LARGEST_READ} bytes, at least one.
 *
 * @param statement gives its rows in an order
 * @param columns further columns of the statement that may be large
 */
export function inBytes(statement: string, ...columns: readonly string[]): string {
  const bytes = bytesOf('data', 'return_value', 'stacktrace', 'progress', ...columns);
  return `
SELECT * FROM (
  SELECT list.*, count(*) OVER () AS of, sum(${bytes}) OVER (ROWS UNBOUNDED PRECEDING) - (${bytes}) AS before
  FROM (${statement}) AS list
) AS counted WHERE before < ${LARGEST_READ}`;
}
