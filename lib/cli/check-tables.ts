import { openPostgres } from '../engine/bullmq/postgres/open-postgres.js';
import { bareMessage } from '../engine/bare-error.js';
import type { DatabaseConnection } from '../engine/connection.js';
import { ConfigurationError } from '../errors.js';
import { CommandError, EXIT } from './exit-code.js';

/**
 * Checks that a PostgreSQL database has the tables of the prefix. An application makes them when it starts; a command does
 * not, because a wrong prefix would make new ones.
 *
 * @param shard the name of the shard; default: the default one. Without one of the others, the rest of the store can be shown
 * @throws CommandError when the tables are missing or too old, or the server of the default shard cannot be reached
 */
export async function checkTables(
  connection: Extract<DatabaseConnection, { kind: 'postgres' }>,
  schema: string,
  shard?: string,
): Promise<void> {
  const driver = await openPostgres(connection, schema);
  try {
    const { installed, latest } = await driver.tables.version();
    if (installed >= latest) return;
    const state =
      installed === 0 ? 'has no tables' : `is at version ${installed}, and this version of the package needs ${latest}`;
    throw new CommandError(
      `The schema "${schema}" of ${driver.address} ${state}. ${cureFor(schema, shard)}`,
      EXIT.unreachable,
    );
  } catch (error) {
    if (error instanceof CommandError) throw error;
    if (error instanceof ConfigurationError) throw new CommandError(error.message, EXIT.unreachable);
    if (shard !== undefined) return;
    throw new CommandError(`${driver.address} cannot be reached: ${bareMessage(error)}.`, EXIT.unreachable);
  } finally {
    await driver.close();
  }
}

function cureFor(schema: string, shard: string | undefined): string {
  return shard === undefined
    ? `Correct --prefix (or TASK_QUEUE_PREFIX), start the application, or run: npx nestjs-task-queue migrate --prefix ${schema}`
    : `Correct --shard (or TASK_QUEUE_SHARDS), --shard ${shard}=postgres://...#prefix, start the application, or run migrate with the same options.`;
}
