import { describe, expect, test } from '@jest/globals';
import { streamXlsxRows } from 'hucre/xlsx';
import { PeopleTable } from '../src/people/people-table.js';
import { exampleFile } from '../src/people/example-file.js';
import { madeUpPeople } from '../src/people/made-up-people.js';
import type { Cell } from '../src/spreadsheets/read-table.js';

const table = (...rows: Cell[][]) => new PeopleTable(rows.map((cells, index) => ({ number: index + 1, cells })));

function check(row: { name?: Cell; email?: Cell; birthday?: Cell; country?: Cell }) {
  const { name = 'Ada', email = 'ada@example.org', birthday = null, country = null } = row;
  const people = table(['Name', 'Email', 'Birthday', 'Country'], [name, email, birthday, country]);
  const checked = people.check(people.rows[0]!);
  return 'person' in checked ? checked.person : checked.problems;
}

describe('a row is cleaned', () => {
  const day = (iso: string) => new Date(`${iso}T00:00:00Z`);

  test.each([
    [{ name: '  Ada \n  Lovelace ' }, { name: 'Ada Lovelace' }],
    [{ email: ' ADA@Example.ORG ' }, { email: 'ada@example.org' }],
    [{ birthday: '1815-12-10' }, ['Birthday 1815-12-10 is too long ago.']],
    [{ birthday: '1990-1-9' }, { birthday: day('1990-01-09') }],
    [{ birthday: '9. 1.1990' }, { birthday: day('1990-01-09') }],
    [{ birthday: day('1990-01-09') }, { birthday: day('1990-01-09') }],
    [{ birthday: ' ' }, { birthday: null }],
    [{ country: 'de' }, { country: 'Germany' }],
    [{ country: 'gERMANY' }, { country: 'Germany' }],
    [{ country: 'USA' }, { country: 'United States' }],
    [{ country: '' }, { country: null }],
    [{ name: 42 }, { name: '42' }],
  ])('%j', (row, expected) => {
    expect(check(row)).toMatchObject(expected);
  });
});

describe('a row is refused, with every reason', () => {
  test.each([
    [{ name: ' ' }, ['Name is missing.']],
    [{ name: 'A'.repeat(201) }, ['Name is longer than 200 characters.']],
    [{ email: null }, ['Email is missing.']],
    [{ email: 'ada(at)example.org' }, ['Email “ada(at)example.org” is not an address.']],
    [{ birthday: '31.02.1990' }, ['Birthday “31.02.1990” is not a date: write it as 1990-12-31.']],
    [{ birthday: '12/31/1990' }, ['Birthday “12/31/1990” is not a date: write it as 1990-12-31.']],
    [{ birthday: 33000 }, ['Birthday “33000” is not a date: write it as 1990-12-31.']],
    [{ birthday: '2190-01-01' }, ['Birthday 2190-01-01 is in the future.']],
    [{ country: 'Atlantis' }, ['Country “Atlantis” is not one we know.']],
    [{ country: 'ZZ' }, ['Country “ZZ” is not one we know.']],
    [
      { name: null, email: 'x', birthday: 'y', country: 'z'.repeat(99) },
      [
        'Name is missing.',
        'Email “x” is not an address.',
        'Birthday “y” is not a date: write it as 1990-12-31.',
        `Country “${'z'.repeat(57)}…” is not one we know.`,
      ],
    ],
  ])('%j', (row, problems) => {
    expect(check(row)).toEqual(problems);
  });

  test('the second of two rows with the same email', () => {
    const people = table(['Name', 'Email'], ['Ada', 'a@example.org'], ['Eve', 'A@Example.org']);
    const [first, second] = people.rows.map((row) => people.check(row));
    expect(first).toHaveProperty('person');
    expect(second).toMatchObject({
      number: 3,
      text: 'Eve, A@Example.org',
      problems: ['Email is the same as in row 2.'],
    });
  });
});

describe('a header', () => {
  test('may be untidy, in any order and with columns that nobody asked for', () => {
    const people = table([' E-Mail', 'Shoe size', 'NAME'], ['ada@example.org', 38, 'Ada']);
    expect(people.check(people.rows[0]!)).toEqual({
      person: { name: 'Ada', email: 'ada@example.org', birthday: null, country: null },
    });
  });

  test('that lacks a column is refused, naming what is there', () => {
    expect(() => table(['Nmae', 'Email'], ['Ada', 'a@example.org'])).toThrow(
      'The first row has to name the columns. Missing: name. Found: Nmae, Email.',
    );
  });

  test('without rows is refused', () => {
    expect(() => table(['Name', 'Email'])).toThrow('The file has a header, but no rows below it.');
  });
});

test('refused rows can be written as they came, with the reasons beside them', () => {
  const people = table(['Name', '', 'Email'], ['Ada', 7], ['Eve', 8, 'eve']);
  const [columns, rows] = people.toCorrect(
    people.rows.map((row) => people.check(row)).filter((row) => 'problems' in row),
  );
  expect(columns.map(({ header }) => header)).toEqual(['Name', '', 'Email', 'What is wrong']);
  expect(rows).toEqual([
    ['Ada', 7, null, 'Email is missing.'],
    ['Eve', 8, 'eve', 'Email “eve” is not an address.'],
  ]);
});

test('the made-up people are always the same, and all of them good', () => {
  expect([...madeUpPeople(2000)]).toEqual([...madeUpPeople(2000)]);
  for (const person of madeUpPeople(2000)) expect(check(person)).toEqual(person);
});

test('the example file has 113 good rows and 7 wrong ones', async () => {
  const rows = [];
  for await (const { index, values } of streamXlsxRows(exampleFile())) {
    rows.push({ number: index + 1, cells: values });
  }
  const people = new PeopleTable(rows);
  const checked = people.rows.map((row) => people.check(row));
  expect(checked.filter((row) => 'problems' in row).map(({ number }) => number)).toEqual([12, 23, 31, 58, 72, 90, 104]);
  expect(checked.filter((row) => 'person' in row)).toHaveLength(113);
});
