import fc from 'fast-check';

/**
 * Any character, half surrogates included. The unit `binary` of fast-check is the same, but makes a table of a million characters at its
 * first use, which takes longer than most properties.
 */
export const anyCharacter = fc.integer({ min: 0, max: 0x10_ff_ff }).map(
  (code) => String.fromCodePoint(code),
  (value) => {
    const code = typeof value === 'string' ? (value.codePointAt(0) ?? -1) : -1;
    if (code < 0 || String.fromCodePoint(code) !== value) throw new Error('This is not one character.');
    return code;
  },
);

/** Any text, half surrogates included, and the texts that often break programs, like `__proto__`. */
export function anyText(constraints: { minLength?: number; maxLength?: number } = {}): fc.Arbitrary<string> {
  return fc.string({ ...constraints, unit: anyCharacter });
}

/** Any text as a value in the query of a URL, with the characters that need no percent sign. */
export function anyQueryValue(): fc.Arbitrary<string> {
  const escaped = anyCharacter.filter((one) => one.isWellFormed()).map((one) => encodeURIComponent(one));
  const plain = fc.constantFrom(...Array.from(`-._~!$&'()*+,;=:@/?`));
  return fc.array(fc.oneof({ arbitrary: escaped, weight: 3 }, plain)).map((parts) => parts.join(''));
}
