import { InvalidArgumentsError } from '../errors.js';
import type { ListPosition } from './ports/list-port.js';

/**
 * Checks the texts of a position: any caller may have made them up.
 *
 * @param numbers the places at which a whole number stands
 * @param length the number of texts
 * @throws InvalidArgumentsError
 */
export function checkPosition(position: ListPosition, numbers: readonly number[], length: number): ListPosition {
  if (position.length >= length && numbers.every((place) => /^-?\d{1,19}$/.test(position[place] ?? '')))
    return position;
  throw new InvalidArgumentsError(
    'cursor is none of this list: it comes from another engine. Leave it out to start with the first page.',
  );
}
