import { dialectOf, hasMethods, nameOf, Refusal, rowsOf, unknownDialect, type Recognize } from '../recognition.js';

interface KyselyTransaction {
  readonly isTransaction: boolean;
  readonly isCommitted?: boolean;
  readonly isRolledBack?: boolean;
  getExecutor(): { readonly adapter: object };
  executeQuery(query: {
    readonly sql: string;
    readonly parameters: readonly unknown[];
    readonly query: object;
    readonly queryId: { readonly queryId: string };
  }): Promise<unknown>;
}

/** A `Kysely` or `Transaction` of Kysely. */
export const recognizeKysely: Recognize = (candidate) => {
  if (!hasMethods(candidate, 'executeQuery', 'getExecutor', 'selectFrom')) return undefined;
  const transaction = candidate as unknown as KyselyTransaction;
  if (!transaction.isTransaction) {
    return new Refusal(
      'a Kysely without a transaction',
      'Pass the object of the callback: db.transaction().execute(async (trx) => { … .in(trx) … }).',
    );
  }
  const adapter = nameOf(transaction.getExecutor().adapter);
  const dialect = dialectOf(adapter);
  if (!dialect) return unknownDialect('Kysely', adapter);
  return {
    dialect,
    query: async (text, params) =>
      rowsOf(
        await transaction.executeQuery({
          sql: text,
          parameters: params,
          // What `CompiledQuery.raw()` of Kysely makes.
          query: { kind: 'RawNode', sqlFragments: [text], parameters: [] },
          queryId: { queryId: 'nestjs-task-queue' },
        }),
      ),
    // Only a controlled transaction knows it.
    ...('isCommitted' in transaction && { isOpen: () => !transaction.isCommitted && !transaction.isRolledBack }),
  };
};
