import type { TransactionAdapter } from '../engine/ports/transaction-port.js';
import { ConfigurationError } from '../errors.js';
import { recognizeDrizzle } from './adapters/drizzle.js';
import { recognizeKnex } from './adapters/knex.js';
import { recognizeKysely } from './adapters/kysely.js';
import { recognizeMikroOrm } from './adapters/mikro-orm.js';
import { recognizePg } from './adapters/pg.js';
import { recognizePostgresJs } from './adapters/postgres-js.js';
import { recognizePrisma } from './adapters/prisma.js';
import { recognizeSequelize } from './adapters/sequelize.js';
import { recognizeTypeOrm } from './adapters/typeorm.js';
import { nameOf, Refusal, type Candidate, type Recognize } from './recognition.js';

/**
 * A transaction of the application, as its library calls it:
 *
 * - pg: a client on which `BEGIN` has run
 * - TypeORM: the `EntityManager` of `dataSource.transaction()`, or a `QueryRunner` with a transaction
 * - Prisma: the client of `prisma.$transaction(async (tx) => …)`
 * - Drizzle: the `tx` of `db.transaction()`
 * - Kysely: the `Transaction` of `db.transaction().execute()`, or a controlled transaction
 * - Knex: the `trx` of `knex.transaction()`
 * - MikroORM: the `EntityManager` of `em.transactional()`, or one after `em.begin()`
 * - Sequelize: a `Transaction`
 * - postgres.js: the `sql` of `sql.begin()`
 * - any other library: an object with the form of {@link TransactionAdapter}
 *
 * A pool, or a root object that has no transaction, throws a `ConfigurationError`.
 */
export type TransactionLike = object;

const DIALECTS: ReadonlySet<unknown> = new Set<TransactionAdapter['dialect']>(['postgres', 'mysql', 'sqlite']);

/** The more an object of a library looks like one of another library, the earlier it stands here. */
const LIBRARIES: readonly Recognize[] = [
  recognizeOwn,
  recognizePrisma,
  recognizeTypeOrm,
  recognizeMikroOrm,
  recognizeSequelize,
  recognizeKysely,
  recognizeDrizzle,
  recognizeKnex,
  recognizePostgresJs,
  recognizePg,
];

const ACCEPTED =
  'Pass the transaction of pg (a client after BEGIN), TypeORM (EntityManager or QueryRunner), Prisma, Drizzle, Kysely, Knex, ' +
  'MikroORM, Sequelize or postgres.js, or an object { dialect, query } as the type TransactionAdapter describes it.';

/**
 * The adapter of a transaction.
 *
 * @throws ConfigurationError when `transaction` is none: the message says what it is, and what to pass instead
 */
export function adapterOf(transaction: TransactionLike): TransactionAdapter {
  const isObject = (typeof transaction === 'object' && transaction !== null) || typeof transaction === 'function';
  if (!isObject) {
    throw new ConfigurationError(`.in() got ${String(transaction)}, which is no transaction. ${ACCEPTED}`);
  }
  const candidate = transaction as Candidate;
  for (const recognize of LIBRARIES) {
    const found = recognize(candidate);
    if (found instanceof Refusal) throw new ConfigurationError(`.in() got ${found.what}. ${found.cure}`);
    if (found) return found;
  }
  throw new ConfigurationError(`.in() got ${nameOf(candidate)}, which it does not know. ${ACCEPTED}`);
}

function recognizeOwn(candidate: Candidate): TransactionAdapter | undefined {
  const isAdapter = DIALECTS.has(candidate['dialect']) && typeof candidate['query'] === 'function';
  return isAdapter ? (candidate as unknown as TransactionAdapter) : undefined;
}
