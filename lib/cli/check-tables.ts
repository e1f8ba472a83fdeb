import { openPostgres } from '../engine/bullmq/postgres/open-postgres.js';
import { bareMessage } from '../engine/bare-error.js';
import type { DatabaseConnection } from '../engine/connection.js';
import { ConfigurationError } from '../errors.js';
import { CommandError, EXIT } from './exit-code.js';

/**
 * Checks that a PostgreSQL database has the tables of the prefix. An application makes them when it starts; a command does
 * not, because a wrong prefix would make new ones.
 *
 * @throws CommandError when the tables are missing or too old, or the server cannot be reached
 */
export async function checkTables(
  connection: Extract<DatabaseConnection, { kind: 'postgres' }>,
  schema: string,
): Promise<void> {
  const driver = await openPostgres(connection, schema);
  try {
    const { installed, latest } = await driver.tables.version();
    if (installed >= latest) return;
    const state =
      installed === 0 ? 'has no tables' : `is at version ${installed}, and this version of the package needs ${latest}`;
    throw new CommandError(
      `The schema "${schema}" of ${driver.address} ${state}. Correct --prefix (or TASK_QUEUE_PREFIX), start the application, or run: ` +
        `npx nestjs-task-queue migrate --prefix ${schema}`,
      EXIT.unreachable,
    );
  } catch (error) {
    if (error instanceof CommandError) throw error;
    if (error instanceof ConfigurationError) throw new CommandError(error.message, EXIT.unreachable);
    throw new CommandError(`${driver.address} cannot be reached: ${bareMessage(error)}.`, EXIT.unreachable);
  } finally {
    await driver.close();
  }
}
