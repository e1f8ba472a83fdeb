import { ConfigurationError } from './errors.js';

/** The names of the options in an object. Its type makes sure that none is missing. */
export type FieldsOf<T> = Readonly<Record<keyof T, true>>;

/**
 * Checks that options are an object which has known fields only: a misspelled option would otherwise have no effect, and nothing
 * would tell.
 *
 * @param option the name of the object, for the error: `queues.mail`
 * @param known the names of its fields
 * @param describe gives a field its name in the error
 * @throws ConfigurationError
 */
export function checkFields<T>(
  value: unknown,
  option: string,
  known: FieldsOf<T>,
  describe: (name: string) => string = (name) => `${option}.${name}`,
): asserts value is T {
  checkObject(value, option, `Give an object with these options: ${Object.keys(known).join(', ')}.`);
  refuseUnknown(value, known, describe);
}

/**
 * Checks that an option is an object.
 *
 * @throws ConfigurationError naming the option. It does not contain the value of a text, which may be a password
 */
export function checkObject(value: unknown, option: string, cure: string): asserts value is object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return;
  throw new ConfigurationError(`${option} is ${describeKind(value)}. ${cure}`);
}

/**
 * @param describe gives an option its name in the error; default: the name of its field
 * @throws ConfigurationError when an object has another field
 */
export function refuseUnknown<T>(
  value: object,
  known: FieldsOf<T>,
  describe: (name: string) => string = (name) => name,
): void {
  const unknown = Object.keys(value).filter((name) => !Object.hasOwn(known, name));
  if (unknown.length === 0) return;
  throw new ConfigurationError(
    `There is no option ${unknown.map(describe).join(', ')}. The options are: ${Object.keys(known).join(', ')}.`,
  );
}

function describeKind(value: unknown): string {
  if (typeof value === 'string') return 'a text';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'function' ? 'a function' : String(value);
}
