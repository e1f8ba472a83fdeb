import type { TransactionAdapter } from '../../engine/ports/transaction-port.js';
import { dialectOf, hasMethods, Refusal, rowsOf, unknownDialect, type Recognize } from '../recognition.js';

interface QueryRunner {
  readonly isTransactionActive: boolean;
  readonly isReleased?: boolean;
  readonly connection: { readonly options: { readonly type: string } };
  query(text: string, params: readonly unknown[]): Promise<unknown>;
}

interface EntityManager {
  readonly queryRunner?: QueryRunner;
}

const CURE =
  'Pass the EntityManager of the callback: dataSource.transaction(async (manager) => { … .in(manager) … }), or a QueryRunner after startTransaction().';

/** An `EntityManager`, `QueryRunner`, `DataSource` or `Repository` of TypeORM. */
export const recognizeTypeOrm: Recognize = (candidate) => {
  if (hasMethods(candidate, 'createQueryRunner', 'getRepository') && 'manager' in candidate) {
    return new Refusal('a DataSource of TypeORM, which is no transaction', CURE);
  }
  if (hasMethods(candidate, 'startTransaction', 'commitTransaction', 'query') && 'isTransactionActive' in candidate) {
    return ofRunner(candidate as unknown as QueryRunner, 'a QueryRunner');
  }
  if (hasMethods(candidate, 'getRepository', 'transaction', 'query') && 'connection' in candidate) {
    const { queryRunner } = candidate as unknown as EntityManager;
    if (queryRunner) return ofRunner(queryRunner, 'an EntityManager');
    return new Refusal('an EntityManager of TypeORM without a transaction', CURE);
  }
  if (hasMethods(candidate, 'createQueryBuilder', 'query') && 'manager' in candidate && 'target' in candidate) {
    return new Refusal('a Repository of TypeORM', `Pass its manager if that has a transaction. ${CURE}`);
  }
  return undefined;
};

function ofRunner(runner: QueryRunner, what: string): TransactionAdapter | Refusal {
  if (!runner.isTransactionActive) return new Refusal(`${what} of TypeORM without an active transaction`, CURE);
  const { type } = runner.connection.options;
  const dialect = dialectOf(type);
  if (!dialect) return unknownDialect('TypeORM', type);
  return {
    dialect,
    query: async (text, params) => rowsOf(await runner.query(text, [...params])),
    isOpen: () => runner.isTransactionActive && runner.isReleased !== true,
  };
}
