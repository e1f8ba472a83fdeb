import { NoAnswerError } from './bounded-reads.js';
import { refusalOf, type Refusal } from './engine/refusal.js';
import { EngineUnavailableError } from './errors.js';

const REFUSED: Readonly<Record<Refusal, string>> = {
  forbidden:
    'The engine refuses what this process asks: a right is missing, or the password is no longer valid. The log names it.',
  refuses: 'The engine answers, and refuses calls. The log says why.',
  closed: 'The application closes.',
};

/**
 * What a probe says about an engine that did not do what it was asked. Errors of engines have the address of the server, and probes are
 * often public.
 *
 * @returns `undefined` for any other error
 */
export function problemOfEngine(error: unknown): string | undefined {
  if (error instanceof NoAnswerError) return error.message;
  if (!(error instanceof EngineUnavailableError)) return undefined;
  const refusal = refusalOf(error);
  return refusal === undefined ? 'The engine cannot be reached.' : REFUSED[refusal];
}
