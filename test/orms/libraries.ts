import { EntitySchema as MikroSchema, MikroORM } from '@mikro-orm/postgresql';
import { PrismaPg } from '@prisma/adapter-pg';
import { drizzle as drizzlePg } from 'drizzle-orm/node-postgres';
import { drizzle as drizzlePostgresJs } from 'drizzle-orm/postgres-js';
import { sql as drizzleSql } from 'drizzle-orm';
import createKnex from 'knex';
import { Kysely, PostgresDialect, CamelCasePlugin, sql as kyselySql } from 'kysely';
import pg from 'pg';
import postgres from 'postgres';
import { Sequelize } from 'sequelize';
import { DataSource, EntitySchema } from 'typeorm';
import type { TransactionLike } from 'nestjs-task-queue';
import { PrismaClient } from './generated/client.js';

/** What a transaction does in the tests. */
export type Work = (transaction: TransactionLike, insert: (id: number) => Promise<unknown>) => Promise<void>;

/** A library, connected to a database with a table `orders`. */
export interface Library {
  /** Commits what `work` did, or rolls it back when `work` throws. */
  transaction(work: Work): Promise<unknown>;
  /** A transaction in the transaction, if the library has that: rolled back when `inner` throws. */
  nested?(outer: Work, inner: Work): Promise<unknown>;
  /** Things of the library that are no transactions, with what the error says of them. */
  readonly roots: readonly (readonly [root: TransactionLike, message: RegExp])[];
  close(): Promise<unknown>;
}

const INSERT = 'INSERT INTO orders (id) VALUES ($1)';

export const libraries: Readonly<Record<string, (url: string) => Promise<Library>>> = {
  pg: async (url) => {
    const pool = new pg.Pool({ connectionString: url });
    // A test drops its database while connections end.
    pool.on('error', () => undefined);
    const idle = await pool.connect();
    return {
      async transaction(work) {
        const client = await pool.connect();
        try {
          await client.query('BEGIN');
          await work(client, (id) => client.query(INSERT, [id]));
          await client.query('COMMIT');
        } catch (error) {
          await client.query('ROLLBACK');
          throw error;
        } finally {
          client.release();
        }
      },
      roots: [
        [pool, /a Pool of pg/],
        // Older versions of pg do not tell.
        ...('getTransactionStatus' in idle ? [[idle, /a client of pg without a transaction/] as const] : []),
      ],
      close: async () => {
        idle.release();
        await pool.end();
      },
    };
  },

  'TypeORM, EntityManager': async (url) => {
    const { source, Order } = await openTypeOrm(url);
    return {
      transaction: (work) => source.transaction((manager) => work(manager, (id) => manager.insert(Order, { id }))),
      nested: (outer, inner) =>
        source.transaction(async (manager) => {
          const insert = (id: number) => manager.insert(Order, { id });
          await outer(manager, insert);
          await manager.transaction((nested) => inner(nested, insert)).catch(() => undefined);
        }),
      roots: [
        [source, /a DataSource of TypeORM/],
        [source.manager, /an EntityManager of TypeORM without a transaction/],
        [source.getRepository(Order), /a Repository of TypeORM/],
      ],
      close: () => source.destroy(),
    };
  },

  'TypeORM, QueryRunner': async (url) => {
    const { source, Order } = await openTypeOrm(url);
    const idle = source.createQueryRunner();
    return {
      async transaction(work) {
        const runner = source.createQueryRunner();
        await runner.startTransaction();
        try {
          await work(runner, (id) => runner.manager.insert(Order, { id }));
          await runner.commitTransaction();
        } catch (error) {
          await runner.rollbackTransaction();
          throw error;
        } finally {
          await runner.release();
        }
      },
      roots: [[idle, /a QueryRunner of TypeORM without an active transaction/]],
      close: async () => {
        await idle.release();
        await source.destroy();
      },
    };
  },

  Prisma: async (url) => {
    const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: url }) });
    return {
      transaction: (work) => prisma.$transaction((tx) => work(tx, (id) => tx.order.create({ data: { id } }))),
      nested: (outer, inner) =>
        prisma.$transaction(async (tx) => {
          await outer(tx, (id) => tx.order.create({ data: { id } }));
          await (tx as typeof prisma)
            .$transaction((nested) => inner(nested, (id) => nested.order.create({ data: { id } })))
            .catch(() => undefined);
        }),
      roots: [
        [prisma, /the root PrismaClient/],
        [prisma.$extends({}), /the root PrismaClient/],
      ],
      close: () => prisma.$disconnect(),
    };
  },

  'Prisma, extended': async (url) => {
    const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: url }) }).$extends({ name: 'own' });
    return {
      transaction: (work) => prisma.$transaction((tx) => work(tx, (id) => tx.order.create({ data: { id } }))),
      roots: [[prisma, /the root PrismaClient/]],
      close: () => prisma.$disconnect(),
    };
  },

  'Drizzle on pg': async (url) => {
    const pool = new pg.Pool({ connectionString: url });
    const db = drizzlePg(pool);
    const insertOf = (tx: Pick<typeof db, 'execute'>) => (id: number) =>
      tx.execute(drizzleSql`INSERT INTO orders (id) VALUES (${id})`);
    return {
      transaction: (work) => db.transaction((tx) => work(tx, insertOf(tx))),
      nested: (outer, inner) =>
        db.transaction(async (tx) => {
          await outer(tx, insertOf(tx));
          await tx.transaction((nested) => inner(nested, insertOf(nested))).catch(() => undefined);
        }),
      roots: [[db, /a \w*Database of Drizzle/]],
      close: () => pool.end(),
    };
  },

  'Drizzle on postgres.js': async (url) => {
    const sql = postgres(url, { onnotice: () => undefined });
    const db = drizzlePostgresJs(sql);
    return {
      transaction: (work) =>
        db.transaction((tx) => work(tx, (id) => tx.execute(drizzleSql`INSERT INTO orders (id) VALUES (${id})`))),
      roots: [[db, /a \w*Database of Drizzle/]],
      close: () => sql.end(),
    };
  },

  Kysely: async (url) => {
    const db = new Kysely<unknown>({
      dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url }) }),
      plugins: [new CamelCasePlugin()],
    });
    const insertOf = (trx: typeof db) => (id: number) => kyselySql`INSERT INTO orders (id) VALUES (${id})`.execute(trx);
    return {
      transaction: (work) => db.transaction().execute((trx) => work(trx, insertOf(trx))),
      nested: async (outer, inner) => {
        const trx = await db.startTransaction().execute();
        await outer(trx, insertOf(trx));
        const point = await trx.savepoint('inner_one').execute();
        await inner(point, insertOf(point)).catch(() => point.rollbackToSavepoint('inner_one').execute());
        await point.commit().execute();
      },
      roots: [[db, /a Kysely without a transaction/]],
      close: () => db.destroy(),
    };
  },

  Knex: async (url) => {
    const knex = createKnex({ client: 'pg', connection: url });
    return {
      transaction: (work) => knex.transaction((trx) => work(trx, (id) => trx('orders').insert({ id }))),
      nested: (outer, inner) =>
        knex.transaction(async (trx) => {
          await outer(trx, (id) => trx('orders').insert({ id }));
          await trx
            .transaction((nested) => inner(nested, (id) => nested('orders').insert({ id })))
            .catch(() => undefined);
        }),
      roots: [[knex, /a Knex without a transaction/]],
      close: () => knex.destroy(),
    };
  },

  MikroORM: async (url) => {
    const Order = new MikroSchema<{ id: number }>({
      name: 'Order',
      tableName: 'orders',
      properties: { id: { type: 'integer', primary: true } },
    });
    const orm = await MikroORM.init({ clientUrl: url, entities: [Order], allowGlobalContext: true });
    return {
      transaction: (work) => orm.em.transactional((em) => work(em, (id) => em.insert(Order, { id }))),
      nested: (outer, inner) =>
        orm.em.transactional(async (em) => {
          await outer(em, (id) => em.insert(Order, { id }));
          await em
            .transactional((nested) => inner(nested, (id) => nested.insert(Order, { id })))
            .catch(() => undefined);
        }),
      roots: [
        [orm, /a MikroORM, which is no transaction/],
        [orm.em, /an EntityManager of MikroORM without a transaction/],
        [orm.em.fork(), /an EntityManager of MikroORM without a transaction/],
      ],
      close: () => orm.close(),
    };
  },

  Sequelize: async (url) => {
    const sequelize = new Sequelize(url, { logging: false, dialectModule: pg });
    return {
      transaction: (work) =>
        sequelize.transaction((transaction) =>
          work(transaction, (id) => sequelize.query(INSERT, { bind: [id], transaction })),
        ),
      roots: [[sequelize, /a Sequelize, which is no transaction/]],
      close: () => sequelize.close(),
    };
  },

  'postgres.js': async (url) => {
    const sql = postgres(url, { onnotice: () => undefined });
    return {
      transaction: (work) => sql.begin((tx) => work(tx, (id) => tx`INSERT INTO orders (id) VALUES (${id})`)),
      nested: (outer, inner) =>
        sql.begin(async (tx) => {
          await outer(tx, (id) => tx`INSERT INTO orders (id) VALUES (${id})`);
          await tx
            .savepoint((point) => inner(point, (id) => point`INSERT INTO orders (id) VALUES (${id})`))
            .catch(() => undefined);
        }),
      roots: [[sql, /a sql of postgres\.js without a transaction/]],
      close: () => sql.end(),
    };
  },
};

export async function openTypeOrm(url: string) {
  const Order = new EntitySchema<{ id: number }>({
    name: 'Order',
    tableName: 'orders',
    columns: { id: { type: Number, primary: true } },
  });
  const source = await new DataSource({ type: 'postgres', url, entities: [Order] }).initialize();
  return { source, Order };
}
