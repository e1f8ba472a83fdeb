import { createHash } from 'node:crypto';

/** Parts of a message that differ from task to task, in the order in which they are replaced. */
const VARIABLE_PARTS: readonly (readonly [part: RegExp, stands: string])[] = [
  [/\b[a-z][a-z0-9+.-]*:\/\/[^\s"'`<>)\]}]+/gi, '<url>'],
  [/"(?:[^"\\\n]|\\.){0,500}"|`(?:[^`\\\n]|\\.){0,500}`|(?<![\w'])'(?:[^'\\\n]|\\.){0,500}'(?!\w)/g, '<value>'],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, '<id>'],
  // An id of a task, and other random texts: long, with a digit.
  [/(?<![\w-])(?:[\w-]+\.)?(?=[\w-]*\d)[\w-]{20,}(?![\w-])/g, '<id>'],
  [/\b0x[0-9a-f]+\b/gi, '<number>'],
  [/\b(?=[a-f]*\d)[0-9a-f]{6,}\b/gi, '<id>'],
  [/[-+]?\d+(?:[.,:]\d+)*/g, '<number>'],
];

/** The longest message that is compared; what stands behind it does not tell errors apart. */
const MOST_TEXT = 1_000;
const HASH_CHARACTERS = 16;

/** An error without what differs from task to task. */
export interface ErrorShape {
  /** The same text for all errors of this shape. */
  readonly fingerprint: string;
  readonly name: string;
  /** The message; `<number>`, `<id>`, `<value>` and `<url>` stand for the variable parts. */
  readonly message: string;
}

/** Tells errors apart by their name and message, without numbers, ids, quoted values and addresses. */
export function shapeOf({ name, message }: { readonly name: string; readonly message: string }): ErrorShape {
  let shape = message.slice(0, MOST_TEXT);
  for (const [part, stands] of VARIABLE_PARTS) shape = shape.replaceAll(part, stands);
  shape = shape.replaceAll(/\s+/g, ' ').trim();
  const digest = createHash('sha256')
    .update(JSON.stringify([name, shape]))
    .digest('hex');
  return { fingerprint: digest.slice(0, HASH_CHARACTERS), name, message: shape };
}

/** Whether a text can be a fingerprint. */
export function isFingerprint(text: string): boolean {
  return new RegExp(`^[0-9a-f]{${HASH_CHARACTERS}}$`).test(text);
}
