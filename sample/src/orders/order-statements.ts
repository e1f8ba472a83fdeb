import type { SqlTransaction } from './sql-database.js';

/** Each order changes the stock of a product, so shops that sell the same product wait for each other. */
export const PRODUCTS = 10;

export interface Order {
  /** The load that made the order, so that orders of several loads can be told apart. */
  readonly load: string;
  readonly shop: number;
  readonly product: number;
  readonly quantity: number;
}

export interface NamedOrder extends Order {
  readonly id: string;
}

/** An outage is a row of a table, so that every process sees it. The error is that of a server that starts or stops. */
export const CREATE: readonly string[] = [
  // Two processes that start at the same time create the tables one after the other.
  'SELECT pg_advisory_xact_lock(20260301)',
  'CREATE SCHEMA IF NOT EXISTS sample',
  `CREATE TABLE IF NOT EXISTS sample.orders (
     id text PRIMARY KEY, load text NOT NULL, shop integer NOT NULL, product integer NOT NULL, quantity integer NOT NULL,
     placed_at timestamptz NOT NULL DEFAULT now())`,
  'CREATE INDEX IF NOT EXISTS orders_of_load ON sample.orders (load)',
  'CREATE TABLE IF NOT EXISTS sample.stock (product integer PRIMARY KEY, sold bigint NOT NULL)',
  `INSERT INTO sample.stock SELECT product, 0 FROM generate_series(0, ${PRODUCTS - 1}) AS product ON CONFLICT DO NOTHING`,
  'CREATE TABLE IF NOT EXISTS sample.confirmed (id text PRIMARY KEY, confirmed_at timestamptz)',
  'CREATE TABLE IF NOT EXISTS sample.outage (until timestamptz NOT NULL)',
  `CREATE OR REPLACE FUNCTION sample.refuse_in_outage() RETURNS trigger LANGUAGE plpgsql AS $$
   BEGIN
     IF EXISTS (SELECT FROM sample.outage WHERE until > clock_timestamp()) THEN
       RAISE EXCEPTION 'the database system is shutting down' USING ERRCODE = '57P03';
     END IF;
     RETURN NULL;
   END $$`,
  'DROP TRIGGER IF EXISTS refuse_in_outage ON sample.orders',
  `CREATE TRIGGER refuse_in_outage BEFORE INSERT ON sample.orders
     FOR EACH STATEMENT EXECUTE FUNCTION sample.refuse_in_outage()`,
];

/** Writes one order, as a shop does that writes directly. */
export async function writeOrder(tx: SqlTransaction, { id, load, shop, product, quantity }: NamedOrder): Promise<void> {
  await tx.query('INSERT INTO sample.orders (id, load, shop, product, quantity) VALUES ($1, $2, $3, $4, $5)', [
    id,
    load,
    shop,
    product,
    quantity,
  ]);
  await tx.query('UPDATE sample.stock SET sold = sold + $2 WHERE product = $1', [product, quantity]);
}

/**
 * Writes many orders in three statements. An order that is there already, because a worker died after the commit, changes nothing. The
 * rows of the stock are locked in the order of their keys, so that two batches cannot wait for each other.
 */
export async function writeOrders(tx: SqlTransaction, orders: readonly NamedOrder[]): Promise<void> {
  const column = <Key extends keyof NamedOrder>(key: Key) => orders.map((order) => order[key]);
  const added = await tx.query(
    `INSERT INTO sample.orders (id, load, shop, product, quantity)
     SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::integer[], $5::integer[])
     ON CONFLICT DO NOTHING RETURNING product, quantity`,
    [column('id'), column('load'), column('shop'), column('product'), column('quantity')],
  );
  const sold = new Map<unknown, number>();
  for (const { product, quantity } of added) sold.set(product, (sold.get(product) ?? 0) + Number(quantity));
  const products = [...sold.keys()];
  await tx.query('SELECT FROM sample.stock WHERE product = ANY ($1::integer[]) ORDER BY product FOR NO KEY UPDATE', [
    products,
  ]);
  await tx.query(
    `UPDATE sample.stock SET sold = sold + more
     FROM unnest($1::integer[], $2::integer[]) AS change (product, more) WHERE stock.product = change.product`,
    [products, [...sold.values()]],
  );
}
