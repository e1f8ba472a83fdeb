import { hasMethods, Refusal, rowsOf, type Recognize } from '../recognition.js';

interface PostgresJsTransaction {
  unsafe(text: string, params: readonly unknown[]): Promise<unknown>;
}

/** A `sql` of postgres.js. */
export const recognizePostgresJs: Recognize = (candidate) => {
  if (typeof candidate !== 'function' || !hasMethods(candidate, 'unsafe')) return undefined;
  if (!hasMethods(candidate, 'savepoint')) {
    return new Refusal(
      'a sql of postgres.js without a transaction',
      'Pass the object of the callback: sql.begin(async (sql) => { … .in(sql) … }).',
    );
  }
  const sql = candidate as unknown as PostgresJsTransaction;
  return { dialect: 'postgres', query: async (text, params) => rowsOf(await sql.unsafe(text, params)) };
};
