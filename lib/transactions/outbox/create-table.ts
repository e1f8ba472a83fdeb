import { loadDriver } from './load-driver.js';
import { tableStatements } from './outbox-table.js';

/** What {@link createTable} found and did. */
export interface CreatedTable {
  readonly table: string;
  /** Whether the table was there before. */
  readonly existed: boolean;
  /** Why the role may not create it. The table is needed only by applications with the option `outbox`. */
  readonly refusal?: string;
}

/**
 * Creates the table of the outbox in a PostgreSQL database, unless it is there.
 *
 * @param options.isDry only look
 * @param options.grant the role that gets the right to use the table
 */
export async function createTable(
  { url, options }: { readonly url?: string; readonly options?: object },
  table: string,
  { isDry = false, grant }: { readonly isDry?: boolean | undefined; readonly grant?: string | undefined } = {},
): Promise<CreatedTable> {
  const pg = await loadDriver('pg', () => import('pg'));
  const { Client } = pg.default ?? pg;
  const client = new Client(url === undefined ? options : { connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ found: string }>('SELECT (to_regclass($1) IS NOT NULL)::text AS found', [
      table,
    ]);
    const existed = rows[0]?.found === 'true';
    if (isDry) return { table, existed };
    const refusal = await refusalOf(async () => {
      if (!existed) for (const statement of tableStatements('postgres', table)) await client.query(statement);
      if (grant !== undefined) {
        await client.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO "${grant.replaceAll('"', '""')}"`);
      }
    });
    return { table, existed, ...(refusal !== undefined && { refusal }) };
  } finally {
    await client.end();
  }
}

/** Why the role may not do that, or that the schema is missing. */
async function refusalOf(run: () => Promise<void>): Promise<string | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code !== '42501' && code !== '3F000') throw error;
    return message;
  }
}
