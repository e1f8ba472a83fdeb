import type { Cell } from './read-table.js';

/** The text of a cell, with single spaces. A date becomes 1990-12-31. */
export function cellText(cell: Cell | undefined): string {
  if (cell instanceof Date && !Number.isNaN(cell.getTime())) return isoDay(cell);
  return String(cell ?? '')
    .normalize()
    .replace(/\s+/g, ' ')
    .trim();
}

/** A date as 1990-12-31. */
export function isoDay(date: Date): string {
  return date.toISOString().slice(0, 10);
}
