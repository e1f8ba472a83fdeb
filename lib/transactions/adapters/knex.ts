import {
  dialectOf,
  hasMethods,
  Refusal,
  rowsOf,
  unknownDialect,
  withQuestionMarks,
  type Recognize,
} from '../recognition.js';

interface KnexTransaction {
  readonly isTransaction?: boolean;
  readonly client: { readonly dialect?: string; readonly config?: { readonly client?: unknown } };
  isCompleted(): boolean;
  raw(text: string, bindings: readonly unknown[]): Promise<unknown>;
}

/** A `knex` or `trx` of Knex. */
export const recognizeKnex: Recognize = (candidate) => {
  if (typeof candidate !== 'function' || !hasMethods(candidate, 'raw', 'transaction') || !('client' in candidate)) {
    return undefined;
  }
  const transaction = candidate as unknown as KnexTransaction;
  if (transaction.isTransaction !== true) {
    return new Refusal(
      'a Knex without a transaction',
      'Pass the object of the callback: knex.transaction(async (trx) => { … .in(trx) … }).',
    );
  }
  const name = transaction.client.dialect ?? String(transaction.client.config?.client);
  const dialect = dialectOf(name);
  if (!dialect) return unknownDialect('Knex', name);
  return {
    dialect,
    query: async (text, params) => {
      const [converted, bindings] =
        dialect === 'postgres' ? withQuestionMarks(text, params, '\\?') : ([text, params] as const);
      const answer = await transaction.raw(converted, bindings);
      // The driver mysql2 answers with a list of rows and columns.
      return rowsOf(dialect === 'mysql' && Array.isArray(answer) && Array.isArray(answer[0]) ? answer[0] : answer);
    },
    isOpen: () => !transaction.isCompleted(),
  };
};
