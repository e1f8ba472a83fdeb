import { isObject, unreadableOptions } from '../jobs/unreadable-job.js';

/** The fields of a job's hash on Redis that BullMQ's decoder parses, with what each must be. It throws at any other text. */
const PARSED: Readonly<Record<string, (value: unknown) => boolean>> = {
  opts: isObject,
  progress: () => true,
  parent: isObject,
};

/**
 * Replaces what BullMQ's decoder cannot parse in the hash of a job: the field is emptied, and the options of the job say
 * why the job cannot be read. Returns the same object when there is nothing to replace.
 */
export function decodableHash(hash: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const reason = reasonOfHash(hash);
  return reason === undefined ? hash : { ...hash, progress: '', parent: '', ...unreadableHash(reason) };
}

/** The hash of a job of which nothing else is known. */
export function unreadableHash(reason: string): Record<'opts', string> {
  return { opts: JSON.stringify(unreadableOptions(reason)) };
}

function reasonOfHash(hash: Readonly<Record<string, string>>): string | undefined {
  for (const [field, check] of Object.entries(PARSED)) {
    const text = hash[field];
    if (!text) continue;
    try {
      if (!check(JSON.parse(text))) return `${field} is not an object`;
    } catch {
      return `${field} is not JSON`;
    }
  }
  return undefined;
}
