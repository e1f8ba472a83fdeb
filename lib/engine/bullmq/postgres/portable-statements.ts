import type { PgQueryable, PgQueryResult } from 'bullmq';
import type { PoolClient } from 'pg';
import { bullmq } from '../bullmq-package.cjs';
import { ownTypes } from './own-types.js';

/**
 * What brings {@link ownTypes} along: clients that this package has opened, or each statement on a client of the application. For
 * a statement with types of its own, pg copies an object in a slow way.
 */
export type TypesOf = 'client' | 'statement';

/** The most statements whose qualified text is kept. BullMQ has about a hundred. */
const CACHE_SIZE = 1_000;

/**
 * Runs the statements of BullMQ and of this package so that they do the same on every connection, whatever the
 * application, the role or the database sets for it, and without setting anything themselves: the connection may belong
 * to the application, or a pooler such as PgBouncer may give it to other applications between two statements.
 *
 * - The schema stands in front of each table, function and type. BullMQ leaves it out and sets the search path of the
 *   connection instead.
 * - Values have the form that pg gives them by default.
 * - A statement sees what other transactions have committed before it. Where transactions have another isolation by
 *   default, each statement runs in a transaction of its own, which takes two more round trips.
 */
export class PortableStatements {
  private names = new Set<string>();
  private needsTransaction = false;
  private readonly texts = new Map<string, string>();
  private readonly schema: string;

  /** @param typesOf what brings the forms of values along */
  constructor(
    schema: string,
    private readonly typesOf: TypesOf,
  ) {
    this.schema = bullmq.quoteSchemaName(schema);
  }

  /**
   * Reads the names in the schema, and the isolation of transactions on this client. Before that, statements run as they
   * are.
   */
  async load(client: PgQueryable): Promise<void> {
    const names = await client.query<{ name: string }>(NAMES, [this.schema]);
    const { rows } = await client.query<{ isolation: string }>(
      `SELECT current_setting('default_transaction_isolation') AS isolation`,
    );
    this.names = new Set(names.rows.map(({ name }) => name));
    this.needsTransaction = rows[0]?.isolation !== READ_COMMITTED;
    this.texts.clear();
  }

  /**
   * Runs a statement by itself.
   *
   * @param limit see {@link send}
   */
  run<R>(client: PoolClient, text: string, params?: readonly unknown[], limit?: number): Promise<PgQueryResult<R>> {
    return this.needsTransaction
      ? this.runInTransaction(client, text, params, limit)
      : this.send(client, text, params, limit);
  }

  private async runInTransaction<R>(
    client: PoolClient,
    text: string,
    params: readonly unknown[] | undefined,
    limit: number | undefined,
  ): Promise<PgQueryResult<R>> {
    const limited = (statement: string) =>
      client.query({ text: statement, ...(limit !== undefined && { query_timeout: limit }) });
    await limited(BEGIN);
    try {
      const result = await this.send<R>(client, text, params, limit);
      await limited('COMMIT');
      return result;
    } catch (error) {
      // It fails only when the connection is broken, and then the pool drops the connection.
      await limited('ROLLBACK').catch(() => undefined);
      throw error;
    }
  }

  /**
   * Runs a statement in the transaction that the caller has begun, if there is one.
   *
   * @param limit milliseconds after which it has failed, on a client of the application; those of this package have a limit of their own
   */
  send<R>(client: PoolClient, text: string, params?: readonly unknown[], limit?: number): Promise<PgQueryResult<R>> {
    const values = params && [...params];
    const qualified = this.qualify(text);
    if (this.typesOf === 'client') return client.query(qualified, values) as never;
    return client.query({
      text: qualified,
      ...(values && { values }),
      types: ownTypes,
      ...(limit !== undefined && { query_timeout: limit }),
    }) as never;
  }

  /** The statement with qualified names and without comments. */
  qualify(text: string): string {
    if (this.names.size === 0) return text;
    const known = this.texts.get(text);
    if (known !== undefined) return known;
    const qualified = text.replace(PLACES, (...match: unknown[]) =>
      this.qualifyPlace(match[0] as string, match.at(-1) as Place),
    );
    if (this.texts.size === CACHE_SIZE) this.texts.clear();
    this.texts.set(text, qualified);
    return qualified;
  }

  private qualifyPlace(found: string, { keyword, table, cast, type, called }: Place): string {
    const name = table ?? type ?? called;
    if (name === undefined) return found.startsWith('--') ? '' : found;
    return this.names.has(name) ? `${keyword ?? cast ?? ''}${this.schema}.${name}` : found;
  }
}

const READ_COMMITTED = 'read committed';

/**
 * Milliseconds after which the server ends a transaction of one statement that hears nothing more of its client: the network has forgotten the
 * connection. Until then its locks hold up the statements of others.
 */
export const SILENCE_LIMIT = 15_000;

const BEGIN = `BEGIN ISOLATION LEVEL ${READ_COMMITTED}; SET LOCAL idle_in_transaction_session_timeout = ${SILENCE_LIMIT}`;

/** The named parts of {@link PLACES}. */
type Place = Readonly<Partial<Record<'keyword' | 'table' | 'cast' | 'type' | 'called', string>>>;

/**
 * Comments, strings and quoted names, which contain no place; then the places where the name of a table, type or
 * function stands: behind a keyword, behind a cast, in front of arguments.
 */
const PLACES =
  /--[^\n]*|'(?:[^']|'')*'|"(?:[^"]|"")*"|(?<keyword>\b(?:FROM|JOIN|INTO|UPDATE)\s+)(?<table>[a-z_]\w*)|(?<cast>::\s*)(?<type>[a-z_]\w*)|(?<![\w.])(?<called>[a-z_]\w*)(?=\s*\()/gi;

/** Names of different kinds may be equal: a table `event` has a column `event`. The places tell them apart. */
const NAMES = `
SELECT relname::text AS name FROM pg_catalog.pg_class
 WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'p', 'v')
UNION SELECT proname::text FROM pg_catalog.pg_proc WHERE pronamespace = $1::regnamespace
UNION SELECT typname::text FROM pg_catalog.pg_type WHERE typnamespace = $1::regnamespace AND typtype = 'e'`;
