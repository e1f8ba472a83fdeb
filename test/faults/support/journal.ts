import { appendFileSync } from 'node:fs';

/** Where every process writes down at once what it begins and ends, so that it is known whatever happens to it. */
const journal = process.env['JOURNAL'] as string;

export type Noted = 'started' | 'finished' | 'aborted' | 'linked';

/** @param more without a space */
export function note(what: Noted, id: string, more: string | number = ''): void {
  appendFileSync(journal, `${what} ${id} ${process.pid} ${more}\n`);
}
