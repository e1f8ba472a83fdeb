import type { Json } from '../../engine/json.js';

/** Texts of a known form get a placeholder of this form, because code that parses them would otherwise fail in another way. */
const FORMS: readonly (readonly [form: RegExp, placeholder: string])[] = [
  [/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/, '2000-01-01T00:00:00.000Z'],
  [/^\d{4}-\d\d-\d\d$/, '2000-01-01'],
  [/^\d{4}-\d\d$/, '2000-01'],
  [/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i, '00000000-0000-4000-8000-000000000000'],
  [/^[^\s@]+@[^\s@]+\.[^\s@]+$/, 'user@example.com'],
  [/^https?:\/\/\S+$/i, 'https://example.com/'],
  [/^-?\d+$/, '1'],
  [/^-?\d+\.\d+$/, '0.5'],
];

/**
 * The value with each text, number and boolean replaced by a placeholder of its type. Names of properties, the length of lists,
 * `null` and what is empty stay: they are the shape of the value, and failures mostly depend on it.
 */
export function placeholderOf(value: Json): Json {
  if (typeof value === 'string') return value === '' ? '' : textPlaceholder(value);
  if (typeof value === 'number') return numberPlaceholder(value);
  if (typeof value === 'boolean') return true;
  if (value === null) return null;
  if (Array.isArray(value)) return (value as readonly Json[]).map(placeholderOf);
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, placeholderOf(entry as Json)]));
}

/** A text, such as the message of an error, without the values that it quotes from `values`, and without numbers. */
export function withoutValues(text: string, values: Json): string {
  const texts = [...new Set(scalarsOf(values))].filter(({ length }) => length > 1);
  const longestFirst = texts.toSorted((a, b) => b.length - a.length);
  return longestFirst.reduce((left, value) => left.replaceAll(value, '…'), text).replaceAll(/\d+/g, '…');
}

function textPlaceholder(text: string): string {
  return FORMS.find(([form]) => form.test(text))?.[1] ?? 'text';
}

/** Sign and kind of a number stay, and zero stays zero. */
function numberPlaceholder(number: number): number {
  if (number === 0) return 0;
  return Math.sign(number) * (Number.isInteger(number) ? 1 : 0.5);
}

function scalarsOf(value: Json): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return typeof value === 'number' ? [String(value)] : [];
  return Object.values(value as Record<string, Json>).flatMap(scalarsOf);
}
