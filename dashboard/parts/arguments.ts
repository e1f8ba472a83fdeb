/**
 * The arguments that a reader has typed.
 *
 * @throws Error for the reader
 */
export function parseArguments(text: string): readonly unknown[] {
  let value: unknown;
  try {
    value = JSON.parse(text.trim() === '' ? '[]' : text);
  } catch (error) {
    throw new Error(`The arguments are no JSON: ${(error as Error).message}. ${EXAMPLE}`, { cause: error });
  }
  if (Array.isArray(value)) return value as readonly unknown[];
  throw new Error(`The arguments are no list. Put brackets around them. ${EXAMPLE}`);
}

const EXAMPLE = 'For example: ["2026-11", {"format": "xlsx"}]';
