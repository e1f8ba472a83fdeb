import {
  dialectOf,
  hasMethods,
  nameOf,
  Refusal,
  rowsOf,
  unknownDialect,
  withQuestionMarks,
  type Recognize,
} from '../recognition.js';

interface EntityManager {
  isInTransaction(): boolean;
  getDriver(): object;
  getTransactionContext(): unknown;
  getConnection(): {
    execute(text: string, params: readonly unknown[], method: 'all', context: unknown): Promise<unknown>;
  };
}

const CURE =
  'Pass the EntityManager of the callback: em.transactional(async (em) => { … .in(em) … }), or one after em.begin().';

/** An `EntityManager` or the `MikroORM` of MikroORM. */
export const recognizeMikroOrm: Recognize = (candidate) => {
  if (hasMethods((candidate as { em?: unknown }).em, 'isInTransaction', 'getDriver')) {
    return new Refusal('a MikroORM, which is no transaction', CURE);
  }
  if (!hasMethods(candidate, 'isInTransaction', 'getDriver', 'getTransactionContext')) return undefined;
  const manager = candidate as unknown as EntityManager;
  if (!manager.isInTransaction()) return new Refusal('an EntityManager of MikroORM without a transaction', CURE);
  const driver = nameOf(manager.getDriver());
  const dialect = dialectOf(driver);
  if (!dialect) return unknownDialect('MikroORM', driver);
  // The manager drops its context when the transaction ends.
  const context = manager.getTransactionContext();
  return {
    dialect,
    query: async (text, params) => {
      const [converted, ordered] =
        dialect === 'postgres' ? withQuestionMarks(text, params, '\\?') : ([text, params] as const);
      return rowsOf(await manager.getConnection().execute(converted, ordered, 'all', context));
    },
    isOpen: () => manager.getTransactionContext() === context,
  };
};
