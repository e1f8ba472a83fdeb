import type { BackendFactory, PgPool, PostgresQueueBackend } from 'bullmq';
import { bullmq } from '../bullmq-package.cjs';
import type { Clock } from '../clock.js';
import type { BackendQueries } from './backend-queries.js';
import { takeWithAdd, type TakingWithAddDeps } from './patched-add-job.js';
import { passServerTime } from './patched-postgres-time.js';
import { askTogether } from './patched-wait.js';
import type { PostgresPools } from './postgres-pools.js';

/**
 * The longest time in seconds for which a worker waits for a notification when it knows a delayed job. BullMQ's own limit is an hour,
 * in which a connection that broke silently would go unnoticed. Without a delayed job BullMQ asks every five seconds.
 */
const LONGEST_WAIT = 10;

export interface BackendDeps {
  readonly queries: BackendQueries;
  readonly listeners: PostgresPools['listeners'];
  readonly clock: Clock;
  /** How a queue takes a job with the statement that stores one. */
  readonly taking: TakingWithAddDeps;
}

/**
 * Makes BullMQ's backends for PostgreSQL. They run their queries as {@link BackendQueries} describes, and pass the server's time to
 * PostgreSQL ({@link passServerTime}). The backend of a queue takes jobs for idle workers ({@link takeWithAdd}). A worker's backend waits for a job for {@link LONGEST_WAIT} seconds at most, and asks for what it
 * has to know before it waits in one query ({@link askTogether}).
 */
export function backendFactory({
  queries,
  listeners,
  clock,
  taking,
}: BackendDeps): BackendFactory<PostgresQueueBackend, PgPool> {
  return (name, options, kind) => {
    const ofWorker = kind?.withBlockingConnection === true;
    const query = ofWorker
      ? askTogether((text, params) => queries.queryOfWorker(text, params))
      : queries.query.bind(queries);
    const pool: PgPool = {
      query: query as PgPool['query'],
      // A backend checks out a single client: the one on which it listens for as long as it lives.
      connect: () => listeners.connect(),
      end: async () => undefined,
      on() {
        return this;
      },
      removeAllListeners() {
        return this;
      },
    };
    const backend = passServerTime(
      new bullmq.PostgresQueueBackend(new SharedPoolConnection(pool), name, options),
      clock,
    );
    if (!ofWorker) return takeWithAdd(backend, taking);
    return Object.defineProperty(backend, 'maximumBlockTimeout', { value: LONGEST_WAIT });
  };
}

/**
 * BullMQ's connection on pools whose tables the driver has prepared. BullMQ's own `waitUntilReady` looks for its tables in the
 * schema `bullmq`, because an application that gives a pool cannot name another schema.
 */
class SharedPoolConnection extends bullmq.PostgresConnection {
  override async waitUntilReady(): Promise<void> {}
}
