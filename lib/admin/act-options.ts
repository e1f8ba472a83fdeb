import { storableText } from '../engine/json.js';
import { InvalidArgumentsError } from '../errors.js';

/** Who acts, and why. Both are stored with a setting. */
export interface ActOptions {
  /** Who acts, for example the name of a user; at most 200 characters. Default: `'unknown'`. */
  readonly by?: string;
  /** Why; at most 1,000 characters. Default: no reason. */
  readonly reason?: string;
}

/** The options of an act, checked and complete. */
export interface Actor {
  readonly by: string;
  readonly reason: string | null;
}

const LONGEST_NAME = 200;
const LONGEST_REASON = 1_000;

/** @throws InvalidArgumentsError when a value is no text or too long */
export function checkActor({ by, reason }: ActOptions = {}): Actor {
  return { by: checkText('by', by, LONGEST_NAME) ?? 'unknown', reason: checkText('reason', reason, LONGEST_REASON) };
}

/** @returns `null` for a value that is missing or empty */
function checkText(name: string, value: unknown, longest: number): string | null {
  if (value === undefined || value === null || value === '') return null;
  if (typeof value === 'string' && value.length <= longest) return storableText(value);
  const found = typeof value === 'string' ? `a text of ${value.length} characters` : typeof value;
  throw new InvalidArgumentsError(
    `${name} is ${found}. Give a text of at most ${longest} characters, or leave it out.`,
  );
}
