import { unzipSync } from 'fflate';
import { type CellValue, streamCsvRows } from 'hucre/csv';
import { streamXlsxRows } from 'hucre/xlsx';
import { readFile } from 'node:fs/promises';
import { SpreadsheetError } from './spreadsheet-error.js';

export type Cell = CellValue;

export interface TableRow {
  /** The row number as spreadsheet programs show it: the first row is 1. */
  number: number;
  cells: Cell[];
}

/** Limits for uploaded files, because a file from outside may have any content. */
export const LIMITS = { rows: 50_000, columns: 200, unpackedBytes: 32 * 1024 * 1024 };

/**
 * Reads the rows of a CSV file, or of the first sheet of an Excel workbook, without blank rows.
 *
 * @throws SpreadsheetError when the file has no rows, has too many, or cannot be read
 */
export async function readTable(path: string): Promise<TableRow[]> {
  const bytes = await readFile(path);
  const format = formatOf(bytes);
  const table: TableRow[] = [];
  try {
    for await (const row of format === 'xlsx' ? excelRows(bytes) : csvRows(bytes)) {
      if (row.cells.every(isBlank)) continue;
      if (table.length > LIMITS.rows || row.cells.length > LIMITS.columns) throw tooLarge();
      table.push(row);
    }
  } catch (error) {
    if (error instanceof SpreadsheetError) throw error;
    throw new SpreadsheetError(
      'The workbook cannot be read: it seems to be damaged. Save it again and try once more.',
      {
        cause: error,
      },
    );
  }
  if (table.length === 0) throw new SpreadsheetError('The file has no rows.');
  return table;
}

/**
 * Detects the format of a file by its first bytes, because the name of an uploaded file cannot be trusted.
 *
 * @throws SpreadsheetError when the file is no spreadsheet, or has a format that cannot be read
 */
export function formatOf(bytes: Buffer): 'xlsx' | 'csv' {
  if (bytes.length === 0) throw new SpreadsheetError('The file is empty.');
  if (startsWith(bytes, 'PK\x03\x04')) return 'xlsx';
  // The container format of Excel 97 to 2003, and of all encrypted workbooks of later versions.
  if (startsWith(bytes, '\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1')) {
    throw new SpreadsheetError(
      'The workbook is protected by a password, or in the old .xls format. Save it as .xlsx without a password.',
    );
  }
  if (startsWith(bytes, '%PDF') || (bytes.includes(0) && !isUtf16(bytes))) {
    throw new SpreadsheetError('This is no spreadsheet. Choose an Excel workbook (.xlsx) or a CSV file.');
  }
  return 'csv';
}

async function* excelRows(bytes: Buffer): AsyncGenerator<TableRow> {
  checkUnpackedSize(bytes);
  for await (const { index, values } of streamXlsxRows(bytes)) yield { number: index + 1, cells: values };
}

function* csvRows(bytes: Buffer): Generator<TableRow> {
  let number = 0;
  for (const cells of streamCsvRows(decode(bytes))) yield { number: ++number, cells };
}

/** A few kilobytes can unpack to gigabytes. The directory of the archive has the sizes, so the check comes before. */
function checkUnpackedSize(bytes: Buffer): void {
  let unpacked = 0;
  unzipSync(bytes, {
    filter({ name, originalSize }) {
      // No part of a workbook is empty, so a size of 0 hides the real size.
      unpacked += originalSize || (name.endsWith('/') ? 0 : Infinity);
      return false;
    },
  });
  if (unpacked > LIMITS.unpackedBytes) throw tooLarge();
}

/** Decodes a CSV file. Excel writes UTF-8, UTF-16 ("Unicode text"), and on most machines still Windows-1252. */
function decode(bytes: Buffer): string {
  if (isUtf16(bytes)) return new TextDecoder('utf-16le').decode(bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

function isUtf16(bytes: Buffer): boolean {
  return startsWith(bytes, '\xff\xfe');
}

function startsWith(bytes: Buffer, magic: string): boolean {
  return bytes.subarray(0, magic.length).equals(Buffer.from(magic, 'latin1'));
}

function isBlank(cell: Cell): boolean {
  return cell === null || (typeof cell === 'string' && cell.trim() === '');
}

function tooLarge(): SpreadsheetError {
  const rows = LIMITS.rows.toLocaleString('en');
  return new SpreadsheetError(`The table is too large: at most ${rows} rows and ${LIMITS.columns} columns.`);
}
