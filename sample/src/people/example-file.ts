import type { Cell } from '../spreadsheets/read-table.js';
import { workbook } from '../spreadsheets/workbook.js';
import { madeUpPeople } from './made-up-people.js';
import { PERSON_COLUMNS } from './person.js';

type Cells = { name: Cell; email: Cell; birthday: Cell; country: Cell };

/** Typical problems of real tables, by row number. */
const surprises: Record<number, Partial<Cells>> = {
  // Untidy rows, which the import cleans without a message.
  4: { name: '  Katherine   Johnson ', email: ' KATHERINE.JOHNSON@EXAMPLE.ORG ', country: 'us' },
  9: { birthday: '31.12.1990', country: 'USA' },
  // Wrong rows, which the import refuses with the reason.
  12: { name: null },
  23: { email: 'grace.hopper(at)example.org' },
  31: { birthday: '31.02.1985' },
  47: { email: 'team@example.org' },
  58: { email: 'Team@Example.org' },
  72: { country: 'Atlantis' },
  90: { birthday: '12/24/1960' },
  104: { name: null, email: 'nobody', birthday: '2190-01-01', country: 'Narnia' },
};

/** A workbook of 120 people as an example for the import. Some rows are wrong on purpose. */
export function exampleFile() {
  return workbook(PERSON_COLUMNS, exampleRows());
}

function* exampleRows() {
  let row = 1;
  for (const person of madeUpPeople(120)) {
    row += 1;
    yield { ...person, ...surprises[row] };
  }
}
