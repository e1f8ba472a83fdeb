import { isObject, unreadableOptions } from '../jobs/unreadable-job.js';

/** The fields of a job's hash on Redis that BullMQ's decoder parses, with what each must be. It throws at any other text. */
const PARSED: ReadonlyMap<string, (value: unknown) => boolean> = new Map<string, (value: unknown) => boolean>([
  ['opts', isObject],
  ['progress', () => true],
  ['parent', isObject],
]);

/**
 * Replaces what BullMQ's decoder cannot parse in the hash of a job: the field is emptied, and the options of the job say
 * why the job cannot be read. Returns the same object when there is nothing to replace.
 */
export function decodableHash(hash: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const field of PARSED.keys()) {
    const reason = reasonOfField(field, hash[field]);
    if (reason !== undefined) return decodable(hash, reason);
  }
  return hash;
}

/** As {@link decodableHash}, of a hash as Redis sends it: names and values in turn. */
export function decodableFields(fields: readonly string[]): readonly string[] {
  for (let index = 0; index < fields.length; index += 2) {
    const reason = reasonOfField(fields[index] as string, fields[index + 1]);
    if (reason === undefined) continue;
    const entries = Array.from({ length: fields.length / 2 }, (_, pair) => fields.slice(2 * pair, 2 * pair + 2));
    return Object.entries(decodable(Object.fromEntries(entries) as Record<string, string>, reason)).flat();
  }
  return fields;
}

/** The hash of a job of which nothing else is known. */
export function unreadableHash(reason: string): Record<'opts', string> {
  return { opts: JSON.stringify(unreadableOptions(reason)) };
}

function decodable(hash: Readonly<Record<string, string>>, reason: string): Record<string, string> {
  return { ...hash, progress: '', parent: '', ...unreadableHash(reason) };
}

/** Characters of a text that is remembered. */
const SHORT = 1_000;
/** Most jobs of a queue have the same options, so their text is parsed once and not for each job. */
const lastGood = new Map<string, string>();

function reasonOfField(field: string, text: string | undefined): string | undefined {
  const check = PARSED.get(field);
  if (!check || !text || text === lastGood.get(field)) return undefined;
  try {
    if (!check(JSON.parse(text))) return `${field} is not an object`;
  } catch {
    return `${field} is not JSON`;
  }
  if (text.length <= SHORT) lastGood.set(field, text);
  return undefined;
}
