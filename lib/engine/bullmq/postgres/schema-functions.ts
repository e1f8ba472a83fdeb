import type { PgPool } from 'bullmq';
import { bullmq } from '../bullmq-package.cjs';
import { lacksRight } from './outage.js';

/** A function that this package keeps in the schema of the tasks. */
export interface SchemaFunction {
  /**
   * It changes whenever the function does something else. So the versions of this package that run side by side call functions of their
   * own, and none replaces that of another.
   */
  readonly name: string;
  /** The types of its parameters. */
  readonly parameters: string;
  /** A table that is created with the function, and that serves no other one. */
  readonly table?: string;
  /** The statements that create it. @param schema the quoted name of the schema */
  create(schema: string): string;
}

export interface SchemaFunctionsDeps {
  readonly pool: PgPool;
  readonly schema: string;
  /** Whether this process may change the schema. */
  readonly mayCreate: boolean;
  readonly functions: readonly SchemaFunction[];
}

/**
 * The functions that this package keeps in its schema. A role that may not create them can do without: each caller has another way, or
 * names the cure.
 */
export class SchemaFunctions {
  /** Why a function could not be created. */
  refusal: Error | undefined;
  private readonly schema: string;
  private readonly usable = new Set<SchemaFunction>();

  constructor(private readonly deps: SchemaFunctionsDeps) {
    this.schema = bullmq.quoteSchemaName(deps.schema);
  }

  /** Whether the function was there, and the role was allowed to use it, when {@link prepare} ran. */
  has(wanted: SchemaFunction): boolean {
    return this.usable.has(wanted);
  }

  /** The qualified name of a function. */
  nameOf({ name }: SchemaFunction): string {
    return `${this.schema}.${name}`;
  }

  /** Does not call the function any more until {@link prepare} finds it. */
  forget(gone: SchemaFunction): void {
    this.usable.delete(gone);
  }

  /** Finds the functions, and creates those that are missing, once the tables exist. */
  async prepare(): Promise<void> {
    this.refusal = undefined;
    const missing = await this.missing();
    if (missing.length === 0) return;
    if (!this.deps.mayCreate) {
      this.refusal = new Error("migrations: 'check'");
      return;
    }
    for (const wanted of missing) if (!this.refusal) await this.create(wanted);
    await this.missing();
  }

  /** Finds the functions that are there, and gives those that are not. Changes nothing. */
  async missing(): Promise<readonly SchemaFunction[]> {
    const { pool, functions } = this.deps;
    const { rows } = await pool.query<Found>(FIND, [
      functions.map((wanted) => `${this.nameOf(wanted)}(${wanted.parameters})`),
      functions.map(({ table }) => (table === undefined ? null : `${this.schema}.${table}`)),
    ]);
    this.usable.clear();
    functions.forEach((wanted, place) => rows[place]?.usable && this.usable.add(wanted));
    return functions.filter((_, place) => !rows[place]?.exists);
  }

  private async create(wanted: SchemaFunction): Promise<void> {
    try {
      await this.deps.pool.query(wanted.create(this.schema));
    } catch (error) {
      if (lacksRight(error)) this.refusal = error as Error;
      // Another process was faster.
      else if (!IS_THERE.test((error as { code?: string }).code ?? '')) throw error;
    }
  }
}

interface Found {
  readonly exists: boolean;
  /** Whether the role may use the function, and its table. */
  readonly usable: boolean;
}

const FIND = `
SELECT oid IS NOT NULL AS exists,
  has_function_privilege(oid, 'EXECUTE') IS TRUE AND (tablename IS NULL OR (
    has_table_privilege(to_regclass(tablename), 'SELECT') IS TRUE AND has_table_privilege(to_regclass(tablename), 'INSERT') IS TRUE
      AND has_table_privilege(to_regclass(tablename), 'DELETE') IS TRUE)) AS usable
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted (signature, tablename, place)
CROSS JOIN LATERAL (SELECT to_regprocedure(signature)::oid) AS found (oid)
ORDER BY place`;

/** SQLSTATE: it exists, or is just being created. */
const IS_THERE = /^(42723|42P07|42710|23505)$/;
