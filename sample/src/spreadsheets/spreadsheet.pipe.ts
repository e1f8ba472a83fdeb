import { Injectable, type PipeTransform } from '@nestjs/common';
import { open } from 'node:fs/promises';
import type { Upload } from '../visitors/visitor-store.js';
import { formatOf } from './read-table.js';
import { SpreadsheetError } from './spreadsheet-error.js';

/**
 * Refuses an uploaded file whose first bytes show that it is no spreadsheet. A task reads the rest of the file later.
 */
@Injectable()
export class SpreadsheetPipe implements PipeTransform<Upload | undefined, Promise<Upload>> {
  async transform(file: Upload | undefined): Promise<Upload> {
    if (!file) throw new SpreadsheetError('Choose a file first.');
    const handle = await open(file.path);
    try {
      const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(4096) });
      formatOf(buffer.subarray(0, bytesRead));
    } finally {
      await handle.close();
    }
    return file;
  }
}
