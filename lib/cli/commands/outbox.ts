import type { Command } from 'commander';
import {
  DEFAULT_TABLE,
  checkTable,
  DIALECTS,
  tableScript,
  type Dialect,
} from '../../transactions/outbox/outbox-table.js';
import type { CommandContext } from '../command-context.js';
import { EXIT, wrongUsage } from '../exit-code.js';

export function addOutbox(program: Command, context: CommandContext): void {
  program
    .command('outbox')
    .description('print the SQL that creates the table for calls in transactions, for a migration of the application')
    .option('--dialect <dialect>', `the database of the application: ${DIALECTS.join(', ')}`, 'postgres')
    .option('--table <name>', 'the option outbox.table of the application', DEFAULT_TABLE)
    .action(({ dialect, table }: { dialect: string; table: string }, command: Command) => {
      if (!isDialect(dialect)) {
        throw wrongUsage(`--dialect is "${dialect}". Use ${DIALECTS.join(', ')}; MariaDB is mysql.`);
      }
      const sql = tableScript(dialect, checkedTable(table));
      context.outputOf(command).print({ dialect, table, sql }, () => sql);
      context.exitCode = EXIT.done;
    });
}

/** @throws CommandError when the text is no name of a table */
export function checkedTable(table: string): string {
  try {
    return checkTable(table);
  } catch (error) {
    throw wrongUsage((error as Error).message.replace('outbox.table', '--table'));
  }
}

function isDialect(text: string): text is Dialect {
  return (DIALECTS as readonly string[]).includes(text);
}
