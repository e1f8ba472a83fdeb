import { countryOf } from './countries.js';
import type { Person } from './person.js';

const FIRST = 'Ada Alan Barbara Carl Dorothy Edsger Emmy Grace Hedy Ida Joan John Katherine Leonhard Lise Mary'.split(
  ' ',
);
const LAST = 'Curie Euler Franklin Gauss Goodall Hamilton Hopper Johnson Knuth Lamarr Lovelace Meitner Noether'.split(
  ' ',
);
const COUNTRIES = ['AR', 'BR', 'CA', 'DE', 'EG', 'FR', 'IN', 'JP', 'KE', 'MX', 'NL', 'NZ', 'PL', 'US', 'VN'];
const DAY = 24 * 60 * 60 * 1000;

/** Generates `count` people, always the same. They are made one by one, so that no table is kept in memory. */
export function* madeUpPeople(count: number): Generator<Person> {
  for (let number = 1; number <= count; number++) {
    const first = pick(FIRST, number, 7);
    const last = pick(LAST, number, 5);
    yield {
      name: `${first} ${last}`,
      email: `${first}.${last}.${number}@example.org`.toLowerCase(),
      birthday: new Date(Date.UTC(1940, 0, 1) + ((number * 7919) % 24_000) * DAY),
      country: countryOf(pick(COUNTRIES, number, 11)) ?? null,
    };
  }
}

function pick(list: readonly string[], number: number, step: number): string {
  return list[(number * step + Math.floor(number / list.length)) % list.length] as string;
}
