import { printable, widthOf, type Style } from './style.js';

/** A column of a table. */
export interface Column<T> {
  readonly title: string;
  readonly value: (row: T) => string | number | null;
  readonly align?: 'left' | 'right';
  /** Whether the column gets narrower when the table is too wide. */
  readonly shrinks?: boolean;
  /** The colour of a cell. */
  readonly paint?: (text: string, row: T) => string;
}

/** The fewest characters that a column shrinks to. */
const NARROWEST = 12;
const GAP = '  ';

/**
 * A table as text, one line for each row, without a frame, so that it can be searched line by line. A missing value is `–`.
 *
 * @param width columns of the terminal; `undefined` for no limit
 */
export function toTable<T>(
  rows: readonly T[],
  columns: readonly Column<T>[],
  style: Style,
  width: number | undefined,
): string {
  const cells = rows.map((row) => columns.map(({ value }) => printable(textOf(value(row)))));
  const widths = fit(
    columns.map(({ title }, index) => Math.max(title.length, ...cells.map((row) => widthOf(row[index] as string)))),
    columns.map(({ shrinks }) => shrinks ?? false),
    width,
  );
  const line = (texts: readonly string[], paint: (text: string, index: number) => string) =>
    texts
      .map((text, index) => {
        const cut = shorten(text, widths[index] as number);
        const space = ' '.repeat((widths[index] as number) - widthOf(cut));
        const painted = paint(cut, index);
        return columns[index]?.align === 'right' ? space + painted : painted + space;
      })
      .join(GAP)
      .trimEnd();
  const head = line(
    columns.map(({ title }) => title),
    (text) => style.dim(text),
  );
  const body = cells.map((texts, row) =>
    line(texts, (text, index) => columns[index]?.paint?.(text, rows[row] as T) ?? text),
  );
  return [head, ...body].map((text) => `${text}\n`).join('');
}

/** The text, cut to so many characters. */
export function shorten(text: string, width: number): string {
  return widthOf(text) <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

function textOf(value: string | number | null): string {
  if (value === null) return '–';
  return typeof value === 'number' ? value.toLocaleString('en-US') : value;
}

/** Narrows the widest of the columns that shrink, until the table fits or they cannot get narrower. */
function fit(widths: number[], shrinks: readonly boolean[], width: number | undefined): number[] {
  if (width === undefined) return widths;
  const total = () => widths.reduce((sum, one) => sum + one, 0) + GAP.length * (widths.length - 1);
  while (total() > width) {
    const widest = widths.reduce<number | undefined>((best, one, index) => {
      if (!shrinks[index] || one <= NARROWEST) return best;
      return best === undefined || one > (widths[best] as number) ? index : best;
    }, undefined);
    if (widest === undefined) break;
    widths[widest] = (widths[widest] as number) - 1;
  }
  return widths;
}
