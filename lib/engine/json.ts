import { NotSerializableError } from '../errors.js';

/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/** Deeper values are refused: recursive readers, PostgreSQL's among them, run out of stack. */
const MAX_DEPTH = 500;

/**
 * The value as JSON gives it back, checked on the way: what `JSON.stringify` would silently drop or change (`Map`,
 * `undefined` in a list, `NaN`, a class instance without `toJSON`) is an error that names the place. `Date` and
 * everything else with `toJSON` becomes what that returns; `undefined` properties are left out, as JSON does.
 *
 * Text must be well-formed Unicode without NUL, since PostgreSQL stores no other and a task should not depend on the
 * engine under it.
 *
 * @param path how the value is called in the error, for example `args[0]`
 * @throws NotSerializableError naming the path and the reason
 */
export function toJson(value: unknown, path: string): Json {
  return convert(value, path, []);
}

function convert(value: unknown, path: string, parents: readonly object[]): Json {
  switch (typeof value) {
    case 'string':
      return checkText(value, path);
    case 'boolean':
      return value;
    case 'number':
      if (Number.isFinite(value)) return value;
      throw new NotSerializableError(path, `is ${value}, which JSON cannot hold. Send null or a string instead.`);
    case 'object':
      return value === null ? null : convertObject(value, path, parents);
    case 'bigint':
      throw new NotSerializableError(path, 'is a BigInt, which JSON cannot hold. Send it as a string.');
    default:
      throw new NotSerializableError(path, `is ${article(typeof value)}, which JSON cannot hold.`);
  }
}

function convertObject(value: object, path: string, parents: readonly object[]): Json {
  if (parents.includes(value)) {
    throw new NotSerializableError(path, 'refers back to an object that contains it, which JSON cannot hold.');
  }
  if (parents.length >= MAX_DEPTH) {
    throw new NotSerializableError(path.slice(0, 80), `... is nested more than ${MAX_DEPTH} levels deep.`);
  }
  const chain = [...parents, value];
  if (hasToJson(value)) return convertWithToJson(value, path, chain);
  if (Array.isArray(value)) return Array.from(value, (item, index) => convert(item, `${path}[${index}]`, chain));
  if (!isPlain(value)) {
    throw new NotSerializableError(
      path,
      `is an instance of ${className(value)}, which JSON would flatten or empty. Send a plain object, or give the class a toJSON().`,
    );
  }
  return convertProperties(value, path, chain);
}

function convertWithToJson(value: { toJSON(): unknown }, path: string, chain: readonly object[]): Json {
  if (value instanceof Date && Number.isNaN(value.getTime())) {
    throw new NotSerializableError(path, 'is an invalid Date.');
  }
  const replaced = value.toJSON();
  return replaced === value ? convertProperties(value, path, chain) : convert(replaced, path, chain);
}

function convertProperties(value: object, path: string, chain: readonly object[]): Json {
  const copy: Record<string, Json> = {};
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue;
    const itemPath = isIdentifier(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
    checkText(key, itemPath);
    // Not `copy[key] = …`: a key named __proto__ would set the prototype instead.
    Object.defineProperty(copy, key, {
      value: convert(item, itemPath, chain),
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return copy;
}

function checkText(text: string, path: string): string {
  if (text.includes('\u0000')) {
    throw new NotSerializableError(
      path,
      'contains a NUL character, which PostgreSQL cannot store. Remove it or send base64.',
    );
  }
  if (!text.isWellFormed()) {
    throw new NotSerializableError(
      path,
      'contains half a surrogate pair, so it is not Unicode text. Send base64 instead.',
    );
  }
  return text;
}

/** Text as every engine can store it, for messages nobody can be asked to mend. */
export function storableText(text: string): string {
  return text.replaceAll('\u0000', '').toWellFormed();
}

function hasToJson(value: object): value is { toJSON(): unknown } {
  return 'toJSON' in value && typeof value.toJSON === 'function';
}

/** Plain also when it comes from another realm (a `vm` context, as under Jest): no constructor but some `Object`. */
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
