import type { TransactionAdapter } from '../../engine/ports/transaction-port.js';
import { hasMethods, Refusal, rowsOf, type Candidate, type Recognize } from '../recognition.js';

/** The part of Drizzle's `SQL` that its databases call. */
interface Statement {
  getSQL(): Statement;
  toQuery(): { readonly sql: string; readonly params: readonly unknown[] };
}

interface DrizzleTransaction {
  /** PostgreSQL and MySQL. */
  execute?(statement: Statement): Promise<unknown>;
  /** SQLite, where some drivers answer at once. */
  all?(statement: Statement): unknown;
}

/** Drizzle stores the kind of each of its classes here: `NodePgTransaction`, `MySql2Database`. */
const KIND = Symbol.for('drizzle:entityKind');

/** A database or a transaction of Drizzle. */
export const recognizeDrizzle: Recognize = (candidate) => {
  const kind = kindOf(candidate);
  if (kind === undefined || !hasMethods(candidate, 'transaction')) return undefined;
  if (!hasMethods(candidate, 'rollback')) {
    return new Refusal(
      `a ${kind} of Drizzle, which is no transaction`,
      'Pass the object of the callback: db.transaction(async (tx) => { … .in(tx) … }).',
    );
  }
  const transaction = candidate as unknown as DrizzleTransaction;
  const dialect = dialectOfKinds(kindOf(candidate['dialect']) ?? kind);
  return {
    dialect,
    query: async (text, params) => {
      const statement: Statement = { getSQL: () => statement, toQuery: () => ({ sql: text, params }) };
      const answer = transaction.execute ? await transaction.execute(statement) : await transaction.all?.(statement);
      // The driver mysql2 answers with a list of rows and columns.
      return rowsOf(dialect === 'mysql' && Array.isArray(answer) && Array.isArray(answer[0]) ? answer[0] : answer);
    },
  };
};

function kindOf(value: unknown): string | undefined {
  let constructor = (value as Candidate | undefined)?.['constructor'] as Candidate | undefined;
  // A class without a kind of its own inherits one.
  while (typeof constructor === 'function') {
    const kind = constructor[KIND];
    if (typeof kind === 'string') return kind;
    constructor = Object.getPrototypeOf(constructor) as Candidate | undefined;
  }
  return undefined;
}

function dialectOfKinds(kind: string): TransactionAdapter['dialect'] {
  if (/^MySql|^SingleStore/.test(kind)) return 'mysql';
  return /^SQLite|Sqlite/.test(kind) ? 'sqlite' : 'postgres';
}
