import { createHash } from 'node:crypto';
import type { ListPosition, StoredList } from '../engine/ports/list-port.js';
import { InvalidArgumentsError } from '../errors.js';
import type { CheckedFilter } from './task-filter.js';

/** Where the next page of a list begins. */
export interface Bookmark {
  readonly list: StoredList;
  /** `undefined`: at the beginning of the list. */
  readonly position: ListPosition | undefined;
}

/** The cursor of a bookmark. It names the filter, so that it cannot go on in another list. */
export function toCursor({ list, position }: Bookmark, filter: CheckedFilter): string {
  const text = JSON.stringify([list, position ?? null]);
  return `${Buffer.from(text).toString('base64url')}.${checksum(text, filter)}`;
}

/** @throws InvalidArgumentsError for a text that is no cursor of this filter */
export function fromCursor(cursor: string | null | undefined, filter: CheckedFilter): Bookmark | undefined {
  if (cursor === undefined || cursor === null) return undefined;
  const [encoded = '', sum, ...others] = typeof cursor === 'string' ? cursor.split('.') : [];
  const text = Buffer.from(encoded, 'base64url').toString();
  // The text is that of `toCursor` when the checksum fits.
  if (others.length === 0 && sum === checksum(text, filter) && encoded === Buffer.from(text).toString('base64url')) {
    const [list, position] = JSON.parse(text) as [StoredList, ListPosition | null];
    if (filter.lists.includes(list)) return { list, position: position ?? undefined };
  }
  throw new InvalidArgumentsError(
    'cursor is none of this list. Give the cursor of the page before, with the same filter, or leave it out to start again.',
  );
}

function checksum(text: string, { text: conditions }: CheckedFilter): string {
  return createHash('sha256')
    .update(JSON.stringify([text, conditions]))
    .digest('base64url')
    .slice(0, 16);
}
