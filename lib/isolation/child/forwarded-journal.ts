import { RunJournal } from '../../workers/run-journal.js';
import type { RunOutcome } from '../../workflows/run-outcome.js';
import type { ParentLink } from '../isolated-process.js';

/** The journal of a child process: the parent writes the lines, and those about the ends of attempts it writes by itself. */
export class ForwardedJournal extends RunJournal {
  constructor(private readonly link: Pick<ParentLink, 'send'>) {
    super();
  }

  override ended<O extends RunOutcome>(_run: unknown, outcome: O): O {
    return outcome;
  }

  override write(level: 'log' | 'warn' | 'error', text: string, stack?: string): void {
    this.link.send({ type: 'line', level, text, stack });
  }
}
