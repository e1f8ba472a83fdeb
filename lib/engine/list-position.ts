import { InvalidArgumentsError } from '../errors.js';
import type { ListPosition } from './ports/list-port.js';

/** A number as Redis and JavaScript write it: the time of a delayed task may have fractions of a millisecond. */
export const ANY_NUMBER = /^-?(\d{1,30}(\.\d{1,30})?(e[+-]?\d{1,3})?|inf)$/;
export const WHOLE_NUMBER = /^-?\d{1,19}$/;

/**
 * Checks the texts of a position: any caller may have made them up.
 *
 * @param numbers the places at which a number stands
 * @param form of these numbers
 * @param length the number of texts
 * @throws InvalidArgumentsError
 */
export function checkPosition(
  position: ListPosition,
  numbers: readonly number[],
  length: number,
  form = ANY_NUMBER,
): ListPosition {
  if (position.length >= length && numbers.every((place) => form.test(position[place] ?? ''))) return position;
  throw new InvalidArgumentsError(
    'cursor is none of this list: it comes from another engine. Leave it out to start with the first page.',
  );
}
