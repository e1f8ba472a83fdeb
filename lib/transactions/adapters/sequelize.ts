import { dialectOf, hasMethods, Refusal, rowsOf, unknownDialect, type Recognize } from '../recognition.js';

interface SequelizeTransaction {
  /** `commit` or `rollback` once the transaction has ended. */
  readonly finished?: string;
  readonly sequelize: {
    getDialect(): string;
    query(
      text: string,
      options: { readonly bind: readonly unknown[]; readonly transaction: unknown; readonly type: string },
    ): Promise<unknown>;
  };
}

const CURE = 'Pass the object of the callback: sequelize.transaction(async (t) => { … .in(t) … }).';

/** A `Transaction` or the `Sequelize` of Sequelize. */
export const recognizeSequelize: Recognize = (candidate) => {
  if (hasMethods(candidate, 'authenticate', 'define', 'transaction', 'getDialect')) {
    return new Refusal('a Sequelize, which is no transaction', CURE);
  }
  if (!hasMethods(candidate, 'commit', 'rollback') || !hasMethods(candidate['sequelize'], 'getDialect', 'query')) {
    return undefined;
  }
  const transaction = candidate as unknown as SequelizeTransaction;
  if (transaction.finished !== undefined) return new Refusal('a transaction of Sequelize that has ended', CURE);
  const name = transaction.sequelize.getDialect();
  const dialect = dialectOf(name);
  if (!dialect) return unknownDialect('Sequelize', name);
  return {
    dialect,
    query: async (text, params) => {
      const type = /^\s*(?:SELECT|WITH)\b/i.test(text) ? 'SELECT' : 'RAW';
      const answer = await transaction.sequelize.query(dialect === 'postgres' ? text : numbered(text), {
        bind: params,
        transaction,
        type,
      });
      return type === 'SELECT' ? rowsOf(answer) : rowsOf((answer as readonly unknown[] | undefined)?.[0]);
    },
    isOpen: () => transaction.finished === undefined,
  };
};

/** Sequelize wants `$1`, `$2`, … for every database. */
function numbered(text: string): string {
  let index = 0;
  return text.replace(/\?/g, () => `$${++index}`);
}
