import type { CustomTypesConfig } from 'pg';

/** Numbers of PostgreSQL's types: https://www.postgresql.org/docs/current/catalog-pg-type.html */
const BOOL = 16;
const INT2 = 21;
const INT4 = 23;
const OID = 26;
const JSON_TEXT = 114;
const FLOAT8 = 701;
const JSONB = 3802;
const ARRAYS = [1009, 1015, 1016];

const ofText: Readonly<Record<number, (text: string) => unknown>> = {
  [BOOL]: (text) => text === 't',
  [INT2]: Number,
  [INT4]: Number,
  [OID]: Number,
  [FLOAT8]: Number,
  [JSON_TEXT]: (text) => JSON.parse(text),
  [JSONB]: (text) => JSON.parse(text),
  ...Object.fromEntries(ARRAYS.map((type) => [type, arrayOfText])),
};

/**
 * The values of the columns that BullMQ reads, in the form that pg gives them by default. An application can replace that
 * form for all clients of the process (`pg.types.setTypeParser`, `pg.defaults.parseInt8`), so each query of this package
 * brings these parsers along. Every type that is not listed, such as an enumeration or a large number, is a text.
 */
export const ownTypes: CustomTypesConfig = {
  getTypeParser: (type: number) => (ofText[type] ?? String) as never,
};

/** An array of one dimension whose elements are texts, or numbers as texts. */
function arrayOfText(text: string): (string | null)[] {
  return Array.from(text.matchAll(/"((?:[^"\\]|\\.)*)"|[^,{}]+/gs), ([element, quoted]) =>
    quoted === undefined ? (element === 'NULL' ? null : element) : quoted.replace(/\\(.)/gs, '$1'),
  );
}
