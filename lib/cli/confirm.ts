import { CommandError } from './exit-code.js';
import type { Terminal } from './terminal.js';

/**
 * Asks before something that cannot be undone. `--yes` answers for the caller.
 *
 * @param what the rest of "This …", with what it concerns: `removes 12 tasks of the queue mail.`
 * @throws CommandError when the answer is not yes, or no person can answer
 */
export async function confirm(terminal: Terminal, yes: boolean | undefined, what: string): Promise<void> {
  if (yes) return;
  if (!terminal.isInteractive) {
    throw new CommandError(`This ${what} Nothing was done: give --yes, because no terminal can ask you.`);
  }
  const answer = await terminal.ask(`This ${what} Go on? [y/N] `);
  if (!/^y(es)?$/i.test(answer.trim())) throw new CommandError('Nothing was done.');
}
