import { parentPort, workerData } from 'node:worker_threads';
import { readTable } from './read-table.js';
import { SpreadsheetError } from './spreadsheet-error.js';

/** Started by read-spreadsheet.ts. */
try {
  parentPort?.postMessage({ table: await readTable(workerData) });
} catch (error) {
  if (!(error instanceof SpreadsheetError)) throw error;
  // Errors lose their class on the way.
  parentPort?.postMessage({ problem: error.message });
}
