import { type CellValue, streamXlsxRows } from 'hucre/xlsx';

/** Reads the rows of a workbook's first sheet. */
export async function readWorkbook(bytes: Uint8Array): Promise<CellValue[][]> {
  const rows: CellValue[][] = [];
  for await (const { values } of streamXlsxRows(bytes)) rows.push(values);
  return rows;
}
