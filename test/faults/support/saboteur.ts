import { Redis } from 'ioredis';
import pg from 'pg';
import type { World } from './world.js';

/** Texts that are no message of this package, or one with other fields. */
const MESSAGES = ['', 'not json', 'null', '[]', '{', '{"type":"watch"}', '{"ids":[null,{}]}', '{"successes":{}}'];

/** Another client of the server, which writes what it likes. */
export interface Saboteur {
  /** Makes stored jobs unreadable, each in another way. */
  damage(ids: readonly string[]): Promise<void>;
  /** Sends malformed messages on every channel that has a listener. Returns how many it sent. */
  flood(): Promise<number>;
  close(): Promise<void>;
}

export async function startSaboteur(world: World): Promise<Saboteur> {
  return world.engine === 'redis' ? onRedis(world) : await onPostgres(world);
}

function onRedis({ server, prefix }: World): Saboteur {
  const client = new Redis(server.url);
  const fields: Record<string, string>[] = [
    ...[
      { opts: '{{{' },
      { opts: 'null' },
      { data: '{{{' },
      { data: 'null' },
      { data: '{"args":{"length":1000000000}}' },
    ],
    ...[{ timestamp: 'abc' }, { atm: '9223372036854775806' }, { name: '' }, { progress: '{{{' }],
  ];
  return {
    async damage(ids) {
      for (const [index, id] of ids.entries()) {
        const key = `${prefix}:default:${id}`;
        const damaged = fields[index % (fields.length + 1)];
        if (damaged) await client.hset(key, damaged);
        else await client.multi().del(key).set(key, 'not a hash').exec();
      }
    },
    async flood() {
      const channels = (await client.pubsub('CHANNELS', '*')) as string[];
      for (const channel of channels) for (const text of MESSAGES) await client.publish(channel, text);
      return channels.length * MESSAGES.length;
    },
    close: async () => client.disconnect(),
  };
}

async function onPostgres({ server, prefix }: World): Promise<Saboteur> {
  const client = new pg.Client(server.url);
  await client.connect();
  const channels = new Set<string>();
  // The last statement of a session that listens names one of its channels, until its next heartbeat. So the names are gathered.
  const learn = async () => {
    const { rows } = await client.query<{ query: string }>(
      String.raw`SELECT DISTINCT query FROM pg_stat_activity WHERE query ~ '^\s*LISTEN '`,
    );
    for (const { query } of rows) channels.add(query.trim().replace(/^LISTEN "?|"?;?$/g, ''));
  };
  const learning = setInterval(() => void learn().catch(() => undefined), 100);
  const changes = [
    ...["opts = 'null'", `opts = '"x"'`, "data = 'null'", `data = '{"args":{"length":1000000000}}'`],
    ...['added_at_ms = -5', 'attempts_made = 2147483647', "name = ''"],
  ];
  return {
    async damage(ids) {
      for (const [index, id] of ids.entries()) {
        await client.query(`UPDATE ${prefix}.job SET ${changes[index % changes.length]} WHERE id = $1`, [id]);
      }
    },
    async flood() {
      await learn();
      for (const channel of channels) {
        for (const text of MESSAGES) await client.query('SELECT pg_notify($1, $2)', [channel, text]);
      }
      return channels.size * MESSAGES.length;
    },
    async close() {
      clearInterval(learning);
      await client.end();
    },
  };
}
