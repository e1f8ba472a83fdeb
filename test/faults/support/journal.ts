import { appendFileSync } from 'node:fs';

/** The events that a process writes into the journal. */
export type JournalEvent = 'started' | 'finished' | 'aborted' | 'ticked' | 'linked' | 'began' | 'ended' | 'killed';

/**
 * The file that all processes of a scenario append to. They write synchronously, so no line is lost when they are
 * killed.
 */
const journal = process.env['JOURNAL'] as string;

/** The tasks whose methods have finished in this process. */
export const finishedHere = new Set<string>();

/** @param detail text without spaces */
export function record(event: JournalEvent, id: string, detail: string | number = ''): void {
  if (event === 'finished') finishedHere.add(id);
  appendFileSync(journal, `${event} ${id} ${process.pid} ${detail}\n`);
}
