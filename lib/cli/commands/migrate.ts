import type { Command } from 'commander';
import { withoutPassword } from '../../engine/connection.js';
import type { CommandContext } from '../command-context.js';
import { CommandError, EXIT, wrongUsage } from '../exit-code.js';
import type { PostgresDriver } from '../../engine/bullmq/postgres/postgres-driver.js';
import type { CreatedTable } from '../../transactions/outbox/create-table.js';
import { DEFAULT_TABLE } from '../../transactions/outbox/outbox-table.js';
import { checkedTable } from './outbox.js';
import { count } from '../words.js';

export function addMigrate(program: Command, context: CommandContext): void {
  program
    .command('migrate')
    .description('create or update the tables in PostgreSQL, for an application whose role may not')
    .option('--dry-run', 'only show what would be done')
    .option('--grant <role>', 'let this role use the tables: the role of the application')
    .option('--outbox', 'only create the table for calls in transactions, in a database that contains no tasks')
    .option('--table <name>', 'the option outbox.table of the application', DEFAULT_TABLE)
    .action(async (flags: MigrateFlags, command: Command) => {
      const { checkedOptions, storeOptions } = await import('../open-store.js');
      const { placesOf } = await import('../store-shards.js');
      const { openPostgres } = await import('../../engine/bullmq/postgres/open-postgres.js');
      const { createTable } = await import('../../transactions/outbox/create-table.js');
      const shared = context.flagsOf(command);
      const { env } = context.terminal;
      checkedOptions(shared, env);
      const places = placesOf(storeOptions(shared, env), shared.shard, env).flatMap(({ connection, prefix }) =>
        connection.kind === 'postgres' ? [{ connection, prefix }] : [],
      );
      const table = checkedTable(flags.table);
      if (places.length === 0) {
        const url = shared.url ?? context.terminal.env['TASK_QUEUE_URL'] ?? '';
        throw wrongUsage(
          `${withoutPassword(url) || 'The default connection'} has no tables to migrate. Give the URL of a PostgreSQL database with --url.`,
        );
      }
      const out = context.outputOf(command);
      for (const { connection, prefix } of places) {
        const driver = await openPostgres(connection, prefix);
        try {
          const schema = flags.outbox ? undefined : await migrateSchema(driver, prefix, flags);
          const outbox = await createTable(connection, table, { isDry: flags.dryRun, grant: flags.grant });
          if (flags.outbox && outbox.refusal !== undefined) {
            throw new CommandError(
              `${driver.address}: the table ${table} cannot be created: ${outbox.refusal}.`,
              EXIT.failed,
            );
          }
          const report = { address: driver.address, ...schema?.report, outbox, applied: !flags.dryRun };
          out.print(report, () => `${schema?.text ?? ''}${describeOutbox(outbox, driver.address, flags)}`);
        } finally {
          await driver.close();
        }
      }
      context.exitCode = EXIT.done;
    });
}

interface MigrateFlags {
  readonly dryRun?: true;
  readonly grant?: string;
  readonly outbox?: true;
  readonly table: string;
}

async function migrateSchema(driver: PostgresDriver, prefix: string, { dryRun, grant }: MigrateFlags) {
  const before = await driver.tables.version();
  const due = before.latest - before.installed;
  if (!dryRun) await driver.connect();
  const index = await prepareIndex(driver, before.installed, dryRun === true);
  if (!dryRun && grant !== undefined) await driver.tables.grant(grant);
  return {
    report: { schema: prefix, ...before, due, index },
    text: [
      dryRun
        ? due > 0
          ? `${count(due, 'migration')} of the schema "${prefix}" in ${driver.address} would run: it is at version ${before.installed} of ${before.latest}.\n`
          : `The schema "${prefix}" of ${driver.address} is up to date: version ${before.latest}.\n`
        : `The schema "${prefix}" of ${driver.address} is up to date.\n`,
      INDEX_TEXT[index],
      grant === undefined
        ? ''
        : dryRun
          ? `The role ${grant} would get the right to use the schema.\n`
          : `The role ${grant} may use the schema.\n`,
    ].join(''),
  };
}

/** What becomes of the index for pages of delayed tasks. */
type IndexStep = 'there' | 'building' | 'due' | 'built' | 'none';

const INDEX_TEXT: Readonly<Record<IndexStep, string>> = {
  there: '',
  none: '',
  building: 'Another process is building the index of delayed tasks.\n',
  due: 'The index of delayed tasks would be built, while workers and callers go on.\n',
  built: 'The index of delayed tasks is built.\n',
};

async function prepareIndex(driver: PostgresDriver, installed: number, isDry: boolean): Promise<IndexStep> {
  if (isDry && installed === 0) return 'none';
  const state = await driver.tables.indexState();
  if (state === 'valid') return 'there';
  if (state === 'building') return 'building';
  if (isDry) return 'due';
  return (await driver.tables.buildIndex()) ? 'built' : 'there';
}

function describeOutbox({ table, existed, refusal }: CreatedTable, address: string, { dryRun }: MigrateFlags): string {
  if (refusal !== undefined) {
    return `The table ${table}, which the option outbox needs, is not created: ${refusal}.\n`;
  }
  if (existed) return `The table ${table} of ${address} is there.\n`;
  return dryRun ? `The table ${table} would be created.\n` : `The table ${table} of ${address} is created.\n`;
}
