import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { zipSync } from 'fflate';
import { writeXlsx } from 'hucre/xlsx';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LIMITS, readTable } from '../src/spreadsheets/read-table.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sample-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function read(content: string | Uint8Array) {
  const path = join(folder, 'upload');
  await writeFile(path, content);
  return readTable(path);
}

const excel = (rows: (string | number | Date | null)[][]) => writeXlsx({ sheets: [{ name: 'Sheet 1', rows }] });

describe('a table is read from', () => {
  test('an Excel workbook, with dates as dates and rows numbered as Excel does', async () => {
    const birthday = new Date(Date.UTC(1906, 11, 9));
    expect(
      await read(
        await excel([
          ['Name', 'Birthday'],
          [null, null],
          ['Grace', birthday],
        ]),
      ),
    ).toEqual([
      { number: 1, cells: ['Name', 'Birthday'] },
      { number: 3, cells: ['Grace', birthday] },
    ]);
  });

  test.each([
    ['commas', 'Name,Email\nAda,ada@example.org\n'],
    ['semicolons and Windows line ends', 'Name;Email\r\nAda;ada@example.org\r\n'],
    ['tabs', 'Name\tEmail\nAda\tada@example.org'],
    ['a byte order mark', '\ufeffName,Email\nAda,ada@example.org'],
    ['quotes', '"Name","Email"\n"Ada","ada@example.org"'],
    ['UTF-16', Buffer.from('\ufeffName\tEmail\nAda\tada@example.org', 'utf16le')],
  ])('CSV with %s', async (_, content) => {
    expect(await read(content)).toEqual([
      { number: 1, cells: ['Name', 'Email'] },
      { number: 2, cells: ['Ada', 'ada@example.org'] },
    ]);
  });

  test('CSV in UTF-8, and in Windows-1252 where it is no UTF-8', async () => {
    expect(await read('Name,Land\nJosé,España')).toEqual(await read(Buffer.from('Name,Land\nJosé,España', 'latin1')));
  });

  test('CSV with line ends and commas inside quotes: blank rows are left out and counted', async () => {
    expect(await read('Name,Note\n"Lovelace, Ada","first\nline"\n\n , \nGrace,')).toEqual([
      { number: 1, cells: ['Name', 'Note'] },
      { number: 2, cells: ['Lovelace, Ada', 'first\nline'] },
      { number: 5, cells: ['Grace', ''] },
    ]);
  });
});

describe('a file is refused, with a reason for people, when it is', () => {
  const bomb = (parts: Record<string, Uint8Array>) => zipSync(parts, { level: 9 });

  test.each<[string, () => string | Uint8Array | Promise<Uint8Array>, RegExp]>([
    ['empty', () => '', /^The file is empty\.$/],
    ['blank', () => ' \n\n,,\n', /^The file has no rows\.$/],
    ['a workbook without rows', () => excel([]), /^The file has no rows\.$/],
    ['a picture', () => Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'latin1'), /no spreadsheet/],
    ['a PDF', () => '%PDF-1.7\n1 0 obj', /no spreadsheet/],
    ['noise', () => randomBytes(10_000), /no spreadsheet|damaged/],
    ['another kind of zip', () => bomb({ 'readme.txt': Buffer.from('hello') }), /damaged/],
    ['cut off', async () => (await excel([['Name'], ['Ada']])).subarray(0, 900), /damaged/],
    ['protected by a password', () => encrypted(), /protected by a password/],
    ['a bomb', () => bomb({ 'xl/sharedStrings.xml': new Uint8Array(LIMITS.unpackedBytes + 1) }), /too large/],
    ['a bomb that hides its size', () => hidden(bomb({ a: new Uint8Array(5_000_000) })), /too large|damaged/],
    ['too long', () => 'Name\n'.repeat(LIMITS.rows + 2), /too large: at most 50,000 rows/],
    ['too wide', () => 'Name' + ',x'.repeat(LIMITS.columns), /too large: .* 200 columns/],
  ])('%s', async (_, make, reason) => {
    await expect(read(await make())).rejects.toMatchObject({
      name: 'SpreadsheetError',
      message: expect.stringMatching(reason),
    });
  });

  function encrypted() {
    return writeXlsx({ sheets: [{ name: 'a', rows: [['x']] }], encryption: { password: 'secret', spinCount: 1 } });
  }

  /** Writes 0 where the archive's directory tells the unpacked size. */
  function hidden(zip: Uint8Array) {
    const bytes = Buffer.from(zip);
    bytes.writeUInt32LE(0, bytes.lastIndexOf('PK\x01\x02', undefined, 'latin1') + 24);
    return bytes;
  }
});
