import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { openPostgres } from '../../../lib/engine/bullmq/postgres/open-postgres.js';
import {
  COUNT_QUEUED,
  indexedStatement,
  orderedStatement,
  PARTS,
  QUEUE_NAMES,
  timedStatement,
} from '../../../lib/engine/bullmq/postgres/list-statements.js';
import { boot } from '../../support/boot.js';
import { commandLine } from '../../support/command-line.js';
import { createDatabase, freePrefix } from '../../support/servers.js';

/** Enough that a plan which reads a list as a whole stands out. What counts are the rows that are read. */
const TASKS = 50_000;
const PAGE = 50;
/** The rows of two queues, and those that have the same time as the last one of a page. */
const MOST_READ = 300;

/** A node of a plan, as EXPLAIN prints it. */
interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Rows Removed by Index Recheck'?: number;
  readonly Plans?: readonly PlanNode[];
}

const DELAYED = PARTS.delayed as Parameters<typeof indexedStatement>[0];

const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];

describe('lists of very many tasks on PostgreSQL', () => {
  const prefix = freePrefix();
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let client: pg.Client;
  /** The time at which sixty thousand tasks are due, and the time of the first end. */
  const time = 1_800_000_000_000;
  const id = (n: number) => `bulk.${String(n).padStart(22, '0')}`;

  beforeAll(async () => {
    // An index waits for the transactions of its database, and those of other tests may be open for long.
    database = await createDatabase(process.env['TEST_POSTGRES_URL'] as string);
    client = new pg.Client(database.url);
    await client.connect();
    await (await boot({ connection: database.url, prefix, role: 'producer' })).app.close();
    await client.query(`SET search_path = ${prefix}`);
    // Statistics come when the test says so. Pages with little in them make the table a large one.
    await client.query('ALTER TABLE job SET (autovacuum_enabled = false, fillfactor = 25)');
    await client.query(
      `INSERT INTO job (queue, id, seq, name, state, priority, data, opts, max_attempts, added_at_ms, process_at_ms, finished_at_ms)
       SELECT 'bulk', 'bulk.' || lpad(n::text, 22, '0'), n, 'Mail.send', kind.state::job_state, kind.priority, '{}', '{}', 1, $1,
         CASE kind.state WHEN 'delayed' THEN $1::bigint END,
         CASE WHEN kind.state IN ('completed', 'failed') THEN $1::bigint + n / 20 END
       FROM generate_series(1, $2::integer) AS n, LATERAL (SELECT
         (ARRAY['waiting', 'waiting', 'delayed', 'delayed', 'delayed', 'waiting-children', 'completed', 'completed', 'failed',
           'waiting'])[n % 10 + 1] AS state, CASE n % 10 WHEN 9 THEN 5 ELSE 0 END AS priority) AS kind`,
      [time, TASKS],
    );
    // A server that is busy takes long for so many rows.
  }, 120_000);
  afterAll(async () => {
    await client.end();
    await database.drop();
  });

  /** @returns the rows of tasks that the statement reads, however few of them it gives */
  async function rowsRead(statement: string, values: readonly unknown[]): Promise<number> {
    const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
      `EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) ${statement}`,
      [...values],
    );
    const nodes = nodesOf((rows[0] as { 'QUERY PLAN': [{ Plan: PlanNode }] })['QUERY PLAN'][0].Plan);
    const scans = nodes.filter((node) => node['Relation Name'] === 'job' || node['Node Type'] === 'Bitmap Index Scan');
    expect(scans.length).toBeGreaterThan(0);
    return scans.reduce(
      (sum, node) =>
        sum +
        node['Actual Loops'] *
          (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0)),
      0,
    );
  }

  const queues = ['bulk', 'empty'];
  const lists = Object.entries(PARTS).flatMap(([list, part]) => {
    const page = [queues, PAGE];
    const middle = TASKS / 2;
    if (!('time' in part)) {
      const position = ['bulk', ...part.order.map((column) => (column === 'id' ? id(middle) : middle))];
      return [
        { list, statement: orderedStatement(part, false), values: page },
        { list: `${list}, far page`, statement: orderedStatement(part, true), values: [...page, ...position] },
      ];
    }
    const statement = part.hasIdsInIndex ? indexedStatement : timedStatement;
    const at = part.hasIdsInIndex ? time : time + middle / 20;
    return [
      { list, statement: statement(part, false), values: page },
      { list: `${list}, far page`, statement: statement(part, true), values: [...page, at, id(middle)] },
    ];
  });

  it.each(['without', 'with'])('each page reads hardly more rows than it has, %s statistics', async (statistics) => {
    if (statistics === 'with') await client.query('ANALYZE job');
    for (const { list, statement, values } of lists) {
      expect([list, (await rowsRead(statement, values)) <= MOST_READ]).toEqual([list, true]);
    }
  });

  it('counting with a bound, and finding the names of the queues, read a few rows', async () => {
    expect(await rowsRead(COUNT_QUEUED, ['bulk', 50])).toBeLessThanOrEqual(MOST_READ);
    expect(await rowsRead(QUEUE_NAMES, [])).toBeLessThanOrEqual(10);
  });

  it('pages are the same with and without the index', async () => {
    const idsOf = async (statement: string, values: readonly unknown[]) =>
      (await client.query<{ id: string }>(statement, [...values])).rows.map((row) => row.id);
    const far = [queues, PAGE, time, id(TASKS / 2)];
    for (const [hasPosition, values] of [
      [false, far.slice(0, 2)],
      [true, far],
    ] as const) {
      const ids = await idsOf(indexedStatement(DELAYED, hasPosition), values);
      expect(ids).toHaveLength(PAGE);
      expect(ids).toEqual(await idsOf(timedStatement(DELAYED, hasPosition), values));
    }
  });

  it('a process that starts leaves a large table as it is, and the command migrate builds the index', async () => {
    const command = (name: string) => commandLine([name, '--url', database.url, '--prefix', prefix]);
    const { tables, ...driver } = await openDriver();
    expect(await tables.indexState()).toBe('valid');

    await client.query('DROP INDEX task_queue_delayed_idx');
    await tables.prepare();
    expect([tables.hasDelayedIndex, await tables.indexState()]).toEqual([false, 'missing']);
    expect((await command('doctor')).out).toMatch(/warn +migrations .*lacks the index of delayed tasks/s);
    expect(await command('migrate')).toMatchObject({
      code: 0,
      out: expect.stringContaining('The index of delayed tasks is built'),
    });
    await tables.prepare();
    expect([tables.hasDelayedIndex, await tables.indexState()]).toEqual([true, 'valid']);

    // As after a builder that was killed.
    await client.query(`UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'task_queue_delayed_idx'::regclass`);
    expect(await tables.indexState()).toBe('broken');
    expect(await tables.buildIndex()).toBe(true);
    expect([await tables.indexState(), await tables.buildIndex()]).toEqual(['valid', false]);
    await driver.close();
  });

  it('the index may take longer to build than a heartbeat of a connection', async () => {
    const { tables, ...driver } = await openDriver();
    const other = new pg.Client(database.url);
    await other.connect();
    await client.query('DROP INDEX IF EXISTS task_queue_delayed_idx');
    // The builder waits for the transactions that are open.
    await other.query(`BEGIN; LOCK TABLE ${prefix}.job IN ROW EXCLUSIVE MODE`);
    const built = tables.buildIndex();
    await new Promise((resolve) => setTimeout(resolve, 12_000));
    expect(await tables.indexState()).toBe('building');
    await other.query('COMMIT');
    await expect(built).resolves.toBe(true);
    expect(await tables.indexState()).toBe('valid');
    await other.end();
    await driver.close();
  }, 40_000);

  async function openDriver() {
    const driver = await openPostgres({ kind: 'postgres', url: database.url }, prefix);
    return { tables: driver.tables, close: () => driver.close() };
  }
});
