import { appendFileSync } from 'node:fs';

/** What a process can write down. */
export type Happening = 'started' | 'finished' | 'aborted' | 'ticked' | 'linked';

/** Where every process writes down at once what it begins and ends, so that it is known whatever happens to it. */
const journal = process.env['JOURNAL'] as string;

/** @param more without a space */
export function note(what: Happening, id: string, more: string | number = ''): void {
  appendFileSync(journal, `${what} ${id} ${process.pid} ${more}\n`);
}
