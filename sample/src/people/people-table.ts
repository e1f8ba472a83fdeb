import type { ColumnDef } from 'hucre/xlsx';
import { cellText } from '../spreadsheets/cell-text.js';
import type { Cell, TableRow } from '../spreadsheets/read-table.js';
import { SpreadsheetError } from '../spreadsheets/spreadsheet-error.js';
import { PERSON_COLUMNS, type Person, personSchema } from './person.js';

export interface RefusedRow extends TableRow {
  /** The row as one line. */
  text: string;
  problems: string[];
}

/** A table with a header, as a list of people. */
export class PeopleTable {
  readonly header: readonly Cell[];
  readonly rows: readonly TableRow[];
  private readonly positions: readonly (readonly [keyof Person, number])[];
  private readonly rowOfEmail = new Map<string, number>();

  /** @throws SpreadsheetError when it has no columns for the name and the email, or no rows */
  constructor([first, ...rows]: readonly TableRow[]) {
    this.header = first?.cells ?? [];
    this.rows = rows;
    const titles = this.header.map(normalize);
    this.positions = PERSON_COLUMNS.map(({ key }) => [key, titles.indexOf(key)] as const);
    this.demand('name', 'email');
    if (rows.length === 0) throw new SpreadsheetError('The file has a header, but no rows below it.');
  }

  /**
   * Cleans and checks one row. Call it in the order of the rows: it refuses the second of two rows with the same email.
   */
  check(row: TableRow): { person: Person } | RefusedRow {
    const fields = Object.fromEntries(this.positions.map(([key, position]) => [key, row.cells[position]]));
    const { data: person, error } = personSchema.safeParse(fields);
    if (error) return refuse(row, error.issues);

    const earlier = this.rowOfEmail.get(person.email);
    if (earlier) return refuse(row, [{ message: `Email is the same as in row ${earlier}.` }]);
    this.rowOfEmail.set(person.email, row.number);
    return { person };
  }

  /**
   * The refused rows as they were uploaded, with a column of reasons, so that the visitor can correct and upload them.
   */
  toCorrect(refused: readonly RefusedRow[]): [ColumnDef[], Cell[][]] {
    const titles = [...this.header.map(cellText), 'What is wrong'];
    const columns = titles.map((header) => ({ header, width: 24 }));
    return [
      columns,
      refused.map(({ cells, problems }) => [...this.header.map((_, i) => cells[i] ?? null), problems.join(' ')]),
    ];
  }

  private demand(...keys: (keyof Person)[]): void {
    const missing = this.positions.filter(([key, position]) => keys.includes(key) && position === -1);
    if (missing.length === 0) return;
    const found = this.header.filter((title) => normalize(title) !== '').map((title) => cellText(title).slice(0, 30));
    throw new SpreadsheetError(
      `The first row has to name the columns. Missing: ${missing.map(([key]) => key).join(', ')}. ` +
        `Found: ${found.slice(0, 8).join(', ') || 'nothing'}.`,
    );
  }
}

function refuse(row: TableRow, issues: readonly { message: string }[]): RefusedRow {
  const text = row.cells.map(cellText).filter(Boolean).join(', ').slice(0, 200);
  return { ...row, text, problems: issues.map(({ message }) => message) };
}

/** Makes `E-Mail` and ` email` the same title. */
function normalize(title: Cell): string {
  return cellText(title)
    .toLowerCase()
    .replace(/[^\p{Letter}]/gu, '');
}
