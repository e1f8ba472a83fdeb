const englishNames = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });

/** Common names that differ from a country's English name and from its two letters. */
const otherNames: Record<string, string> = { usa: 'US', uk: 'GB', england: 'GB', scotland: 'GB', holland: 'NL' };

const countries = new Map<string, string>();
for (const code of countryCodes()) {
  const name = englishNames.of(code);
  if (!name) continue;
  countries.set(code.toLowerCase(), name);
  countries.set(name.toLowerCase(), name);
}
for (const [other, code] of Object.entries(otherNames)) countries.set(other, countries.get(code.toLowerCase()) ?? code);

/** The English name of a country, from that name or its two letters. `undefined` when there is no such country. */
export function countryOf(text: string): string | undefined {
  return countries.get(text.toLowerCase());
}

/** All pairs of letters, without those that Unicode uses for groups, for tests and for an unknown country. */
function countryCodes(): string[] {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'.split('');
  return letters
    .flatMap((first) => letters.map((second) => first + second))
    .filter((code) => !['EU', 'EZ', 'UN', 'QO', 'XA', 'XB', 'ZZ'].includes(code));
}
