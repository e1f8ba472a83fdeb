import type { TransactionAdapter } from '../engine/ports/transaction-port.js';

/** An object of which nothing is known yet. The packages of the libraries are not loaded: the application may lack them. */
export type Candidate = Readonly<Record<PropertyKey, unknown>>;

/** Why an object of a known library cannot be used. */
export class Refusal {
  constructor(
    /** What the object is: `a Pool of pg, which is no transaction`. */
    readonly what: string,
    /** What to pass instead, as a sentence. */
    readonly cure: string,
  ) {}
}

/** @returns `undefined` for an object of another library */
export type Recognize = (candidate: Candidate) => TransactionAdapter | Refusal | undefined;

export function hasMethods(candidate: unknown, ...names: readonly string[]): boolean {
  return names.every((name) => typeof (candidate as Candidate | undefined)?.[name] === 'function');
}

/** The name of the object's class, for messages. */
export function nameOf(candidate: unknown): string {
  const prototype = Object.getPrototypeOf(candidate) as { constructor?: { name?: string } } | null;
  const name = prototype?.constructor?.name;
  if (typeof candidate === 'function') return `a function ${candidate.name}`.trimEnd();
  return name === undefined || name === 'Object' ? 'an object' : `an object of the class ${name}`;
}

/** The dialect of which a library or driver has this name. */
export function dialectOf(name: string): TransactionAdapter['dialect'] | undefined {
  if (/postgres|cockroach|^pg/i.test(name)) return 'postgres';
  if (/mysql|maria/i.test(name)) return 'mysql';
  if (/sqlite|sqljs|libsql|better-|expo|capacitor|cordova|react-native/i.test(name)) return 'sqlite';
  return undefined;
}

/** The refusal of a database that this package has no statements for. */
export function unknownDialect(library: string, name: string): Refusal {
  return new Refusal(
    `a transaction of ${library} on ${name}`,
    'Transactions on PostgreSQL, MySQL, MariaDB and SQLite can be used.',
  );
}

/**
 * The statement for a library that writes parameters as `?`, with the parameters in the order of the places. A question
 * mark in the statement itself is an operator there, so it is escaped.
 */
export function withQuestionMarks(
  text: string,
  params: readonly unknown[],
  escaped: string,
): readonly [text: string, params: readonly unknown[]] {
  const ordered: unknown[] = [];
  const converted = text.replace(/\?|\$(\d+)/g, (_, index: string | undefined) => {
    if (index === undefined) return escaped;
    ordered.push(params[Number(index) - 1]);
    return '?';
  });
  return [converted, ordered];
}

/** The rows in an answer: a list, or an object that contains it. */
export function rowsOf(answer: unknown): readonly Readonly<Record<string, unknown>>[] {
  if (Array.isArray(answer)) return answer as Readonly<Record<string, unknown>>[];
  const rows = (answer as { rows?: unknown } | undefined)?.rows;
  return Array.isArray(rows) ? (rows as Readonly<Record<string, unknown>>[]) : [];
}
