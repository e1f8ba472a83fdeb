import type { ClientBase } from 'pg';

/** The name by which the connections that write rows can be told from those of a queue on the same server. */
export const WRITER = 'writer of rows';
/** Counters that all writers change. */
export const COUNTERS = 10;
const TENANTS = 1_000;

/** A row to write. It also changes two counters, as a transfer between accounts does. */
export interface NewRow {
  readonly tenant: string;
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

export const CREATE_TABLES = `
DROP TABLE IF EXISTS written, counter;
CREATE TABLE written (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant text NOT NULL, "from" integer NOT NULL, "to" integer NOT NULL,
  "text" text NOT NULL, at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON written (tenant, at);
CREATE TABLE counter (id integer PRIMARY KEY, changes bigint NOT NULL);
INSERT INTO counter SELECT id, 0 FROM generate_series(0, ${COUNTERS - 1}) AS id`;

/** Each row changes two counters once. */
export const ROWS_WRITTEN = 'SELECT (sum(changes) / 2)::integer AS rows FROM counter';

export function randomRow(): NewRow {
  const from = Math.floor(Math.random() * COUNTERS);
  const to = (from + 1 + Math.floor(Math.random() * (COUNTERS - 1))) % COUNTERS;
  return { tenant: `tenant-${Math.floor(Math.random() * TENANTS)}`, from, to, text: 'x'.repeat(100) };
}

/** Writes one row in a transaction. `sorted`: the counters in the order of their ids, and not in that of the row. */
export async function writeRow(client: ClientBase, row: NewRow, sorted: boolean): Promise<void> {
  const { tenant, from, to, text } = row;
  const counters = sorted ? [from, to].toSorted((one, other) => one - other) : [from, to];
  await inTransaction(client, async () => {
    await client.query('INSERT INTO written (tenant, "from", "to", "text") VALUES ($1, $2, $3, $4)', [
      tenant,
      from,
      to,
      text,
    ]);
    for (const id of counters) await client.query('UPDATE counter SET changes = changes + 1 WHERE id = $1', [id]);
  });
}

/** Writes many rows in a transaction, and changes each counter once, in the order of their ids. */
export async function writeRows(client: ClientBase, rows: readonly NewRow[]): Promise<void> {
  const changes = new Map<number, number>();
  for (const id of rows.flatMap(({ from, to }) => [from, to])) changes.set(id, (changes.get(id) ?? 0) + 1);
  const ids = [...changes.keys()].toSorted((one, other) => one - other);
  await inTransaction(client, async () => {
    await client.query(
      `INSERT INTO written (tenant, "from", "to", "text")
SELECT * FROM unnest($1::text[], $2::integer[], $3::integer[], $4::text[])`,
      [
        rows.map(({ tenant }) => tenant),
        rows.map(({ from }) => from),
        rows.map(({ to }) => to),
        rows.map(({ text }) => text),
      ],
    );
    await client.query('SELECT FROM counter WHERE id = ANY($1::integer[]) ORDER BY id FOR NO KEY UPDATE', [ids]);
    await client.query(
      `UPDATE counter SET changes = changes + added
FROM unnest($1::integer[], $2::integer[]) AS change (id, added) WHERE counter.id = change.id`,
      [ids, ids.map((id) => changes.get(id))],
    );
  });
}

async function inTransaction(client: ClientBase, work: () => Promise<void>): Promise<void> {
  await client.query('BEGIN');
  try {
    await work();
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}
