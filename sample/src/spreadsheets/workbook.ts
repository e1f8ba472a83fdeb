import { type ColumnDef, writeXlsxStream, type XlsxStreamRow } from 'hucre/xlsx';
import type { ReadableStream } from 'node:stream/web';

/**
 * Writes an Excel workbook of one sheet as a stream, row by row. A long table needs no more memory than a short one.
 */
export function workbook(
  columns: readonly Readonly<ColumnDef>[],
  rows: Iterable<XlsxStreamRow> | AsyncIterable<XlsxStreamRow>,
): ReadableStream<Uint8Array> {
  return writeXlsxStream(rows, {
    name: 'People',
    columns: columns.map((column) => ({ ...column })),
    freezePane: { rows: 1 },
  });
}
