import { createHash } from 'node:crypto';
import type { PgPool } from 'bullmq';
import type { SchemaFunction, SchemaFunctions } from './schema-functions.js';

export interface StatementParts {
  /** Names the statement among those of this package. */
  readonly name: string;
  readonly statement: string;
  /** The types of its parameters. */
  readonly parameters: string;
  /** The names and types of its columns. */
  readonly columns: string;
}

/**
 * A statement that takes longer to plan than to run, as a function of the schema: each session of the server plans it once. Prepared
 * statements of pg would do the same, but not behind a pooler that gives a session to another client after each transaction.
 *
 * The name of the function contains a digest of all that it does.
 */
export class PlannedStatement implements SchemaFunction {
  readonly name: string;
  readonly statement: string;
  readonly parameters: string;
  private readonly columns: string;

  constructor({ name, statement, parameters, columns }: StatementParts) {
    this.statement = statement;
    this.parameters = parameters;
    this.columns = columns;
    const digest = createHash('sha256').update(this.definition('')).digest('hex');
    this.name = `task_queue_${name}_${digest.slice(0, 8)}`;
  }

  /** The statement that calls the function. @param name its qualified name */
  call(name: string): string {
    const places = this.parameters.split(',').map((_, index) => `$${index + 1}`);
    return `SELECT * FROM ${name}(${places.join(', ')})`;
  }

  create(schema: string): string {
    return `CREATE FUNCTION ${schema}.${this.name}${this.definition(schema)}`;
  }

  private definition(schema: string): string {
    return `(${this.parameters}) RETURNS TABLE (${this.columns}) LANGUAGE plpgsql
SET search_path = ${schema}, pg_catalog, pg_temp
${SETTINGS.map((setting) => `SET ${setting}\n`).join('')}AS $task_queue$
#variable_conflict use_column
BEGIN
  RETURN QUERY ${this.statement};
END;
$task_queue$`;
  }
}

/**
 * One plan serves all values and all sizes of the tables. PostgreSQL does not know how many rows a call wants and takes it for a tenth of the
 * queue, so by itself it may read and sort the whole queue, and compile the plan at each call. It has to follow the indexes instead.
 */
const SETTINGS = [
  'plan_cache_mode = force_generic_plan',
  'enable_seqscan = off',
  'enable_bitmapscan = off',
  'enable_sort = off',
  'jit = off',
];

/** Runs statements by their functions, and as they are where the schema does not have the functions. */
export class PlannedStatements {
  constructor(
    private readonly pool: PgPool,
    private readonly functions: SchemaFunctions,
  ) {}

  async run<R>(planned: PlannedStatement, params: readonly unknown[]): Promise<readonly R[]> {
    if (this.functions.has(planned)) {
      try {
        return (await this.pool.query<R>(planned.call(this.functions.nameOf(planned)), params)).rows;
      } catch (error) {
        if (!IS_CLOSED.test((error as { code?: string }).code ?? '')) throw error;
        this.functions.forget(planned);
      }
    }
    return (await this.pool.query<R>(planned.statement, params)).rows;
  }
}

/** SQLSTATE: the function is gone; the role may not use it, or a table. */
const IS_CLOSED = /^(42883|42501)$/;
