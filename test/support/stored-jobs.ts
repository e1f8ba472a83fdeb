import { getQueueToken } from '@nestjs/bullmq';
import type { PgPool, Queue } from 'bullmq';
import { Redis } from 'ioredis';
import type { Booted } from './boot.js';
import type { Place, TestEngine } from './engines.js';

/** A change of the fields of a stored job: texts on Redis, JSON or numbers in the columns of PostgreSQL. */
export type Fields = Readonly<Record<string, string>>;

/** Changes stored jobs of the queue `default` behind the back of the library, as another program would. */
export interface StoredJobs {
  /** Sets fields of the hash, or columns of the row. */
  change(id: string, fields: Fields): Promise<void>;
  /** Redis only: sends a command. `KEY` stands for the key of the job. */
  command(id: string, ...command: string[]): Promise<unknown>;
  close(): Promise<void>;
}

export function storedJobs(engine: TestEngine, place: Place, { app }: Booted): StoredJobs {
  return engine.name === 'redis' ? onRedis(place) : onPostgres(app.get<Queue>(getQueueToken('default')));
}

function onRedis({ connection, prefix }: Place): StoredJobs {
  const client = new Redis(connection);
  const keyOf = (id: string) => `${prefix}:default:${id}`;
  return {
    change: async (id, fields) => void (await client.hset(keyOf(id), fields)),
    command: (id, name = '', ...words) => client.call(name, ...words.map((word) => word.replace('KEY', keyOf(id)))),
    close: async () => client.disconnect(),
  };
}

/** PostgreSQL and the embedded engine: the pool of the library itself, because only one process opens a folder. */
function onPostgres(queue: Queue): StoredJobs {
  const { connection } = queue.getBackend() as unknown as { connection: { pool: PgPool } };
  return {
    async change(id, fields) {
      const columns = Object.keys(fields).map((column, index) => `${column} = $${index + 2}`);
      await connection.pool.query(`UPDATE job SET ${columns.join(', ')} WHERE queue = 'default' AND id = $1`, [
        id,
        ...Object.values(fields),
      ]);
    },
    command: () => Promise.reject(new Error('Only Redis has commands.')),
    close: async () => undefined,
  };
}
