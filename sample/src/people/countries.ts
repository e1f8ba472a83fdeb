const englishNames = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });

/** What people write instead of a country's name or its two letters. */
const otherNames: Record<string, string> = { usa: 'US', uk: 'GB', england: 'GB', scotland: 'GB', holland: 'NL' };

const countries = new Map<string, string>();
for (const code of countryCodes()) {
  const name = englishNames.of(code);
  if (!name) continue;
  countries.set(code.toLowerCase(), name);
  countries.set(name.toLowerCase(), name);
}
for (const [other, code] of Object.entries(otherNames)) countries.set(other, countries.get(code.toLowerCase()) ?? code);

/** The English name of a country, from that name or its two letters; `undefined` when there is no such country. */
export function countryOf(text: string): string | undefined {
  return countries.get(text.toLowerCase());
}

/** Every pair of letters but those that Unicode uses for groups, tests and what is unknown. */
function countryCodes(): string[] {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'.split('');
  return letters
    .flatMap((first) => letters.map((second) => first + second))
    .filter((code) => !['EU', 'EZ', 'UN', 'QO', 'XA', 'XB', 'ZZ'].includes(code));
}
