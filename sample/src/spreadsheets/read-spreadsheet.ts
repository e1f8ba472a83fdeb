import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { TableRow } from './read-table.js';
import { SpreadsheetError } from './spreadsheet-error.js';

/**
 * Reads an uploaded spreadsheet in a separate thread. With a hostile file only the thread is busy or runs out of
 * memory, and this process goes on answering requests.
 *
 * @throws SpreadsheetError with a message for the visitor that uploaded the file
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
