import { parentPort, workerData } from 'node:worker_threads';
import { readTable } from './read-table.js';
import { SpreadsheetError } from './spreadsheet-error.js';

/** The thread that read-spreadsheet.ts starts. */
try {
  parentPort?.postMessage({ table: await readTable(workerData) });
} catch (error) {
  if (!(error instanceof SpreadsheetError)) throw error;
  // A message between threads does not keep the class of an error, so only its text is sent.
  parentPort?.postMessage({ problem: error.message });
}
