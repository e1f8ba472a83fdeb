import { readBook } from '../places/place-book.js';
import type { StoredPlaces } from '../places/place-store.js';
import { limitOfRuns, RUN_LIMIT_FIELDS } from './queue-concurrency.js';

/** The field of the book of places in the metadata of its queue. */
export const BOOK = 'task-queue:places';
/** What is stored about the places of a queue: the book first. */
export const PLACE_FIELDS = [BOOK, ...RUN_LIMIT_FIELDS] as const;

/** @param values those of {@link PLACE_FIELDS} */
export function toStoredPlaces([book, ...limits]: readonly (string | null | undefined)[]): StoredPlaces {
  return { book: book ?? '', limit: limitOfRuns(limits) };
}

/** Whether all places of a queue are taken. @param values those of {@link PLACE_FIELDS} */
export function arePlacesTaken(values: readonly (string | null | undefined)[]): boolean {
  const { book, limit } = toStoredPlaces(values);
  return limit !== undefined && readBook(book).taken.size >= limit;
}
