import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { ROWS_WRITTEN, WRITER } from './rows.js';

/** Milliseconds between two looks at the connections of the server, and between two counts of the rows. */
const EVERY = 50;

/** What happened on the server while the rows were written. */
export interface Watched {
  /** The most connections at the same time that write rows, and the most of all. */
  readonly writers: number;
  readonly connections: number;
  /** How many connections waited for a lock of another one: on average, and at most. */
  readonly waiting: number;
  readonly mostWaiting: number;
  readonly deadlocks: number;
}

interface Sample {
  readonly writers: number;
  readonly connections: number;
  readonly waiting: number;
}

const SAMPLE = `
SELECT count(*)::integer AS connections,
  count(*) FILTER (WHERE application_name = '${WRITER}')::integer AS writers,
  count(*) FILTER (WHERE wait_event_type = 'Lock' AND application_name = '${WRITER}')::integer AS waiting
FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`;
const DEADLOCKS = 'SELECT deadlocks::integer FROM pg_stat_database WHERE datname = current_database()';

/** Watches one database from a connection of its own. */
export class ServerWatch {
  private readonly samples: Sample[] = [];

  private constructor(
    private readonly client: pg.Client,
    private readonly deadlocksBefore: number,
  ) {}

  static async start(database: string): Promise<ServerWatch> {
    const client = new pg.Client(database);
    await client.connect();
    return new ServerWatch(client, await deadlocks(client));
  }

  /** Samples the connections until the table has so many rows. */
  async untilWritten(rows: number): Promise<void> {
    for (let written = 0; written < rows;) {
      await wait(EVERY);
      this.samples.push((await this.client.query<Sample>(SAMPLE)).rows[0]);
      written = (await this.client.query<{ rows: number }>(ROWS_WRITTEN)).rows[0].rows;
    }
  }

  async end(): Promise<Watched> {
    const most = (key: keyof Sample) => Math.max(0, ...this.samples.map((sample) => sample[key]));
    const waiting = this.samples.reduce((sum, sample) => sum + sample.waiting, 0) / this.samples.length;
    // PostgreSQL counts a deadlock up to a second later.
    await wait(1_500);
    const ended = (await deadlocks(this.client)) - this.deadlocksBefore;
    await this.client.end();
    return {
      writers: most('writers'),
      connections: most('connections'),
      waiting,
      mostWaiting: most('waiting'),
      deadlocks: ended,
    };
  }
}

async function deadlocks(client: pg.Client): Promise<number> {
  return (await client.query<{ deadlocks: number }>(DEADLOCKS)).rows[0].deadlocks;
}
