import { PostgresConnection, PostgresQueueBackend, withBackend, type PgPool } from 'bullmq';

/** BullMQ's classes on a pool that is ready for use. */
export function bullmqOn(pool: PgPool) {
  class ReadyConnection extends PostgresConnection {
    override waitUntilReady() {
      return Promise.resolve();
    }
  }
  return withBackend<PostgresQueueBackend, PgPool>(
    (name, options) => new PostgresQueueBackend(new ReadyConnection(pool), name, options),
  );
}
