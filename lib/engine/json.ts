import { NotSerializableError } from '../errors.js';
import { lossOfInstance } from './data-object.js';

/** A value that JSON can represent. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/** Deeper values are refused, because recursive readers, PostgreSQL's among them, run out of stack. */
const MAX_DEPTH = 500;

/**
 * Returns the value as it comes out of JSON. A value that `JSON.stringify` would silently drop or change is an error: a
 * `Map`, `undefined` in a list, `NaN`, an instance of a class that keeps a part of its state where JSON does not look. A
 * `Date`, and any other object with `toJSON`, becomes the return value of that method. An instance of a class whose whole
 * state is in its own properties, as a DTO, becomes a plain object. Properties that are `undefined` are left out, as in
 * JSON.
 *
 * Text must be well-formed Unicode without NUL. PostgreSQL stores no other text, and a task should not depend on its
 * engine.
 *
 * @param path the name of the value in the error, for example `args[0]`
 * @throws NotSerializableError with the path and the reason
 */
export function toJson(value: unknown, path: string): Json {
  return convert(value, { root: path, keys: [], parents: [] });
}

/** The place inside the value that is being converted. It becomes text only for an error. */
interface Place {
  readonly root: string;
  readonly keys: (string | number)[];
  readonly parents: object[];
}

function convert(value: unknown, place: Place): Json {
  switch (typeof value) {
    case 'string':
      return checkText(value, place);
    case 'boolean':
      return value;
    case 'number':
      // JSON has no -0.
      if (Number.isFinite(value)) return value || 0;
      throw refusal(place, `is ${value}, which JSON cannot represent. Send null or a string instead.`);
    case 'object':
      return value === null ? null : convertObject(value, place);
    case 'bigint':
      throw refusal(place, 'is a BigInt, which JSON cannot represent. Send it as a string.');
    default:
      throw refusal(place, `is ${article(typeof value)}, which JSON cannot represent.`);
  }
}

function convertObject(value: object, place: Place): Json {
  const { parents } = place;
  if (parents.includes(value)) {
    throw refusal(place, 'refers back to an object that contains it, which JSON cannot represent.');
  }
  if (parents.length >= MAX_DEPTH) {
    throw new NotSerializableError(pathOf(place).slice(0, 80), `... is nested more than ${MAX_DEPTH} levels deep.`);
  }
  parents.push(value);
  const converted = convertContent(value, place);
  parents.pop();
  return converted;
}

function convertContent(value: object, place: Place): Json {
  if (hasToJson(value)) return convertWithToJson(value, place);
  if (Array.isArray(value)) return convertItems(value, place);
  const loss = isPlain(value) ? undefined : lossOfInstance(value);
  if (loss === undefined) return convertProperties(value, place);
  throw refusal(
    place,
    `is an instance of ${className(value)}. JSON would lose ${loss}. Send a plain object, or give the class a toJSON().`,
  );
}

function convertWithToJson(value: { toJSON(): unknown }, place: Place): Json {
  if (value instanceof Date && Number.isNaN(value.getTime())) throw refusal(place, 'is an invalid Date.');
  const replaced = value.toJSON();
  return replaced === value ? convertProperties(value, place) : convert(replaced, place);
}

function convertItems(list: readonly unknown[], place: Place): Json {
  const { keys } = place;
  // `Array.from` also visits the holes of a sparse list, as `undefined`.
  return Array.from(list, (item, index) => {
    keys.push(index);
    const converted = convert(item, place);
    keys.pop();
    return converted;
  });
}

function convertProperties(value: object, place: Place): Json {
  const { keys } = place;
  const copy: Record<string, Json> = {};
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue;
    keys.push(key);
    checkText(key, place);
    const converted = convert(item, place);
    keys.pop();
    if (key !== '__proto__') copy[key] = converted;
    // An assignment to `__proto__` would set the prototype instead.
    else Object.defineProperty(copy, key, { value: converted, enumerable: true, writable: true, configurable: true });
  }
  return copy;
}

function refusal(place: Place, reason: string): NotSerializableError {
  return new NotSerializableError(pathOf(place), reason);
}

function pathOf({ root, keys }: Place): string {
  const step = (key: string | number) =>
    typeof key === 'string' && isIdentifier(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
  return root + keys.map(step).join('');
}

function checkText(text: string, place: Place): string {
  if (text.includes('\u0000')) {
    throw refusal(place, 'contains a NUL character, which PostgreSQL cannot store. Remove it or send base64.');
  }
  if (!text.isWellFormed()) {
    throw refusal(place, 'contains half a surrogate pair, so it is not Unicode text. Send base64 instead.');
  }
  return text;
}

/**
 * The size of a value's JSON text in bytes when it is more than `limit`; otherwise `undefined`. Most values are so
 * small that the text need not be made.
 */
export function sizeBeyond(value: Json, limit: number): number | undefined {
  if (sizeAtMost(value) <= limit) return undefined;
  const size = Buffer.byteLength(JSON.stringify(value));
  return size > limit ? size : undefined;
}

/** The most bytes that one unit of a string takes: as many as the escaped `\u001f`. */
const LONGEST_UNIT = 6;
/** The bytes of the longest number, `-1.7976931348623157e+308`. `false` and `null` are shorter. */
const LONGEST_SCALAR = 24;

/** An upper bound of the size, which is found without making the text. */
function sizeAtMost(value: Json | undefined): number {
  if (typeof value === 'string') return value.length * LONGEST_UNIT + 2;
  if (typeof value !== 'object' || value === null) return LONGEST_SCALAR;
  let size = 2;
  if (Array.isArray(value)) {
    for (const item of value as readonly Json[]) size += sizeAtMost(item) + 1;
  } else {
    for (const [key, item] of Object.entries(value)) size += key.length * LONGEST_UNIT + 4 + sizeAtMost(item);
  }
  return size;
}

/**
 * Removes from a text what no engine can store. It is for the texts of errors, which no caller could correct.
 */
export function storableText(text: string): string {
  return text.replaceAll('\u0000', '').toWellFormed();
}

function hasToJson(value: object): value is { toJSON(): unknown } {
  return 'toJSON' in value && typeof value.toJSON === 'function';
}

/**
 * Whether an object is plain. It may come from another realm (a `vm` context, as under Jest), so its prototype may be
 * the `Object.prototype` of any realm.
 */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function className(value: object): string {
  return value.constructor?.name || 'an unnamed class';
}

function article(type: string): string {
  return type === 'undefined' ? 'undefined' : `a ${type}`;
}

function isIdentifier(key: string): boolean {
  return /^[A-Za-z_$][\w$]*$/.test(key);
}
