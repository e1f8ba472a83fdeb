import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { TableRow } from './read-table.js';
import { SpreadsheetError } from './spreadsheet-error.js';

/**
 * Reads a spreadsheet from outside in a thread of its own: however hostile the file, this process keeps answering, and
 * what runs out of memory is the thread.
 *
 * @throws SpreadsheetError in words for who sent the file
 */
export async function readSpreadsheet(path: string, signal: AbortSignal): Promise<TableRow[]> {
  const thread = new Worker(new URL('read-table.thread.js', import.meta.url), {
    workerData: path,
    resourceLimits: { maxOldGenerationSizeMb: 256 },
  });
  try {
    const [{ table, problem }] = await once(thread, 'message', { signal });
    if (problem) throw new SpreadsheetError(problem);
    return table;
  } catch (error) {
    if (!isOutOfMemory(error)) throw error;
    throw new SpreadsheetError('The file needs too much memory to be read: split it into smaller ones.');
  } finally {
    await thread.terminate();
  }
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
}
