import type { Command } from 'commander';
import { withoutPassword } from '../../engine/connection.js';
import { openPostgres } from '../../engine/bullmq/postgres/open-postgres.js';
import type { CommandContext } from '../command-context.js';
import { EXIT, wrongUsage } from '../exit-code.js';
import { checkedOptions } from '../open-store.js';
import { count } from '../words.js';

export function addMigrate(program: Command, context: CommandContext): void {
  program
    .command('migrate')
    .description('create or update the tables in PostgreSQL, for an application whose role may not')
    .option('--dry-run', 'only show what would be done')
    .option('--grant <role>', 'let this role use the tables: the role of the application')
    .action(async (flags: { dryRun?: true; grant?: string }, command: Command) => {
      const shared = context.flagsOf(command);
      const { connection, prefix } = checkedOptions(shared, context.terminal.env);
      if (connection.kind !== 'postgres') {
        const url = shared.url ?? context.terminal.env['TASK_QUEUE_URL'] ?? '';
        throw wrongUsage(
          `${withoutPassword(url) || 'The default connection'} has no tables to migrate. Give the URL of a PostgreSQL database with --url.`,
        );
      }
      const out = context.outputOf(command);
      const driver = await openPostgres(connection, prefix);
      try {
        const before = await driver.schemaVersion();
        const due = before.latest - before.installed;
        if (!flags.dryRun) await driver.connect();
        if (!flags.dryRun && flags.grant !== undefined) await driver.grant(flags.grant);
        const report = { address: driver.address, schema: prefix, ...before, due, applied: !flags.dryRun };
        out.print(report, () =>
          [
            flags.dryRun
              ? due > 0
                ? `${count(due, 'migration')} of the schema "${prefix}" in ${driver.address} would run: it is at version ${before.installed} of ${before.latest}.\n`
                : `The schema "${prefix}" of ${driver.address} is up to date: version ${before.latest}.\n`
              : `The schema "${prefix}" of ${driver.address} is up to date.\n`,
            flags.grant === undefined
              ? ''
              : flags.dryRun
                ? `The role ${flags.grant} would get the right to use the schema.\n`
                : `The role ${flags.grant} may use the schema.\n`,
          ].join(''),
        );
      } finally {
        await driver.close();
      }
      context.exitCode = EXIT.done;
    });
}
