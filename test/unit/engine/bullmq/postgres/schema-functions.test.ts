import { beforeEach, describe, expect, it } from '@jest/globals';
import type { PgPool } from 'bullmq';
import { PlannedStatement, PlannedStatements } from '../../../../../lib/engine/bullmq/postgres/planned-statement.js';
import { SchemaFunctions } from '../../../../../lib/engine/bullmq/postgres/schema-functions.js';

const PARTS = { name: 'count', statement: 'SELECT 1 AS one', parameters: 'text, bigint', columns: 'one integer' };
const COUNT = new PlannedStatement(PARTS);
const OTHER = new PlannedStatement({ ...PARTS, name: 'other' });

/** A schema that knows which functions are in it. */
class Schema {
  readonly functions = new Set<string>();
  readonly statements: string[] = [];
  /** Whether the role may call the functions. */
  permitted = true;
  refusals = new Map<string, string>();

  readonly pool = {
    query: async (text: string, params: readonly unknown[] = []) => ({ rows: this.run(text, params) }),
  } as unknown as PgPool;

  private run(text: string, params: readonly unknown[]): object[] {
    if (text.includes('to_regprocedure')) {
      return (params[0] as string[]).map((signature) => {
        const exists = this.functions.has(signature.replace(/\(.*/, ''));
        return { exists, usable: exists && this.permitted };
      });
    }
    this.statements.push(text);
    for (const [words, code] of this.refusals) if (text.includes(words)) throw Object.assign(new Error(code), { code });
    const [, created] = /^CREATE FUNCTION ([^(]+)/.exec(text) ?? [];
    if (created !== undefined) this.functions.add(created);
    return [{ one: 1 }];
  }
}

let schema: Schema;
let functions: SchemaFunctions;
let planned: PlannedStatements;
const open = (mayCreate = true) => {
  functions = new SchemaFunctions({ pool: schema.pool, schema: 'tasks', mayCreate, functions: [COUNT, OTHER] });
  planned = new PlannedStatements(schema.pool, functions);
};
const run = () => planned.run(COUNT, ['a', 1]);
const CALL = `SELECT * FROM "tasks".${COUNT.name}($1, $2)`;

beforeEach(() => {
  schema = new Schema();
  open();
});

it('the name of a function changes with its statement, and with its types', () => {
  const names = [
    PARTS,
    { ...PARTS, statement: 'SELECT 2 AS one' },
    { ...PARTS, columns: 'one bigint' },
    { ...PARTS, parameters: 'text, text' },
  ].map((parts) => new PlannedStatement(parts).name);
  expect(new Set(names).size).toBe(4);
  expect(new PlannedStatement(PARTS).name).toBe(COUNT.name);
  expect(COUNT.name).toMatch(/^task_queue_count_[0-9a-f]{8}$/);
});

describe('functions of the schema', () => {
  it('are created when they are missing, and only then', async () => {
    schema.functions.add(`"tasks".${COUNT.name}`);
    await functions.prepare();
    expect(schema.statements).toEqual([OTHER.create('"tasks"')]);
    expect([functions.has(COUNT), functions.has(OTHER)]).toEqual([true, true]);
    await functions.prepare();
    expect(schema.statements).toHaveLength(1);
  });

  it.each(['42723', '23505'])('may be created by another process at the same time (%s)', async (code) => {
    schema.refusals.set('CREATE FUNCTION', code);
    const preparing = functions.prepare();
    schema.functions.add(`"tasks".${COUNT.name}`);
    await preparing;
    expect([functions.has(COUNT), functions.refusal]).toEqual([true, undefined]);
  });

  it('are left out where the role may not create them, and asked for once', async () => {
    schema.refusals.set('CREATE FUNCTION', '42501');
    await functions.prepare();
    expect(schema.statements).toHaveLength(1);
    expect(functions.refusal).toMatchObject({ code: '42501' });
    expect(functions.has(COUNT)).toBe(false);
  });

  it('are left out where the process may not change the schema', async () => {
    open(false);
    await functions.prepare();
    expect(schema.statements).toEqual([]);
    expect(functions.refusal?.message).toContain("migrations: 'check'");
  });

  it('an outage of the server is an error', async () => {
    schema.refusals.set('CREATE FUNCTION', '25006');
    await expect(functions.prepare()).rejects.toMatchObject({ code: '25006' });
  });
});

describe('a statement', () => {
  it('runs by its function', async () => {
    await functions.prepare();
    schema.statements.length = 0;
    expect(await run()).toEqual([{ one: 1 }]);
    expect(schema.statements).toEqual([CALL]);
  });

  it('runs as it is without the function, and where the role may not call it', async () => {
    await run();
    await functions.prepare();
    schema.permitted = false;
    await functions.prepare();
    schema.statements.length = 0;
    await run();
    expect(schema.statements).toEqual([PARTS.statement]);
  });

  it.each(['42883', '42501'])(
    'runs as it is once the function is refused with %s, until it is found again',
    async (code) => {
      await functions.prepare();
      schema.refusals.set(CALL, code);
      schema.statements.length = 0;
      expect(await run()).toEqual([{ one: 1 }]);
      await run();
      expect(schema.statements).toEqual([CALL, PARTS.statement, PARTS.statement]);
      schema.refusals.clear();
      await functions.prepare();
      schema.statements.length = 0;
      await run();
      expect(schema.statements).toEqual([CALL]);
    },
  );

  it.each(['40001', '40P01', '55P03', '57014', '22P02', '25006'])('the error %s is one of the call', async (code) => {
    await functions.prepare();
    schema.refusals.set(CALL, code);
    schema.statements.length = 0;
    await expect(run()).rejects.toMatchObject({ code });
    expect(schema.statements).toEqual([CALL]);
  });
});
