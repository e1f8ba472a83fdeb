import { z } from 'zod';
import { cellText, isoDay } from '../spreadsheets/cell-text.js';
import type { Cell } from '../spreadsheets/read-table.js';
import { countryOf } from './countries.js';

/** A person in the cleaned workbook. A type and not an interface, because a workbook's row has to be a `Record`. */
export type Person = {
  name: string;
  email: string;
  birthday: Date | null;
  country: string | null;
};

export const PERSON_COLUMNS = [
  { key: 'name', header: 'Name', width: 28 },
  { key: 'email', header: 'Email', width: 34 },
  { key: 'birthday', header: 'Birthday', width: 12, numFmt: 'yyyy-mm-dd' },
  { key: 'country', header: 'Country', width: 20 },
] as const satisfies readonly { key: keyof Person; header: string; width: number; numFmt?: string }[];

const text = z.custom<Cell | undefined>().transform(cellText);

/** Turns one row of a spreadsheet into a person. It cleans untidy cells, and adds a message for each wrong cell. */
export const personSchema = z.object({
  name: text.pipe(z.string().min(1, 'Name is missing.').max(200, 'Name is longer than 200 characters.')),
  email: text.transform((email, context) => {
    if (!email) return refuse(context, 'Email is missing.');
    const address = email.toLowerCase();
    return z.email().safeParse(address).success ? address : refuse(context, `Email ${quote(email)} is not an address.`);
  }),
  birthday: text.transform((birthday, context) => {
    if (!birthday) return null;
    const date = dateOf(birthday);
    if (!date) return refuse(context, `Birthday ${quote(birthday)} is not a date: write it as 1990-12-31.`);
    if (date > new Date()) return refuse(context, `Birthday ${isoDay(date)} is in the future.`);
    if (date.getUTCFullYear() < 1900) return refuse(context, `Birthday ${isoDay(date)} is too long ago.`);
    return date;
  }),
  country: text.transform((country, context) => {
    if (!country) return null;
    return countryOf(country) ?? refuse(context, `Country ${quote(country)} is not one we know.`);
  }),
});

/** Reads `1990-12-31` or `31.12.1990`. It refuses `12/31/1990`, because many countries write the day first. */
function dateOf(value: string): Date | undefined {
  const iso = /^(?<year>\d{4})-(?<month>\d{1,2})-(?<day>\d{1,2})$/;
  const dotted = /^(?<day>\d{1,2})\. ?(?<month>\d{1,2})\. ?(?<year>\d{4})$/;
  const parts = (iso.exec(value) ?? dotted.exec(value))?.groups;
  if (!parts) return undefined;
  const [year, month, day] = [Number(parts.year), Number(parts.month), Number(parts.day)];
  const date = new Date(Date.UTC(year, month - 1, day));
  // 31 February would otherwise become 3 March.
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? date : undefined;
}

function refuse(context: z.RefinementCtx, message: string): never {
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
}

function quote(value: string): string {
  return `“${value.length > 60 ? `${value.slice(0, 57)}…` : value}”`;
}
