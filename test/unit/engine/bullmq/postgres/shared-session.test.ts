import { EventEmitter } from 'node:events';
import { beforeEach, expect, it, jest } from '@jest/globals';
import type { PgNotification, PgPoolClient } from 'bullmq';
import { SharedSession } from '../../../../../lib/engine/bullmq/postgres/shared-session.js';

/** A connection that remembers its statements. */
class Connection extends EventEmitter {
  readonly statements: string[] = [];
  readonly release = jest.fn<(destroy?: boolean) => void>();
  running = 0;

  async query(text: string): Promise<{ rows: [] }> {
    if (++this.running > 1) throw new Error('A connection runs one statement at a time.');
    this.statements.push(text);
    await Promise.resolve();
    this.running--;
    return { rows: [] };
  }

  notify(channel: string, payload: string): void {
    this.emit('notification', { channel, payload });
  }
}

let connections: Connection[];
let session: SharedSession;
beforeEach(() => {
  connections = [];
  session = new SharedSession(async () => {
    const connection = new Connection();
    connections.push(connection);
    return connection;
  });
});

/** A client that listens, and the payloads that it gets. */
async function listener(channel: string): Promise<{ client: PgPoolClient; payloads: string[] }> {
  const client = await session.connect();
  const payloads: string[] = [];
  client.on('notification', ({ payload = '' }: PgNotification) => payloads.push(payload));
  await client.query(`LISTEN ${channel}`);
  return { client, payloads };
}

it('all clients share one connection, and each gets the notifications of its channels', async () => {
  const [one, two, other] = await Promise.all([listener('jobs'), listener('jobs'), listener('"a:b"')]);
  expect(connections).toHaveLength(1);
  connections[0]?.notify('jobs', '1');
  connections[0]?.notify('a:b', '2');
  expect([one.payloads, two.payloads, other.payloads]).toEqual([['1'], ['1'], ['2']]);
});

it('the connection listens on a channel as long as one client does', async () => {
  const [one, two] = [await listener('jobs'), await listener('jobs')];
  one.client.release();
  await two.client.query('SELECT 1');
  connections[0]?.notify('jobs', '1');
  expect([one.payloads, two.payloads]).toEqual([[], ['1']]);
  await listener('others');
  two.client.release();
  await (await session.connect()).query('SELECT 1');
  expect(connections[0]?.statements).toContain('UNLISTEN "jobs"');
});

it('the connection ends with its last client, and a later client gets another', async () => {
  const [one, two] = [await listener('jobs'), await listener('jobs')];
  one.client.release();
  one.client.release();
  expect(connections[0]?.release).not.toHaveBeenCalled();
  two.client.release();
  expect(connections[0]?.release).toHaveBeenCalledWith(true);
  const three = await listener('jobs');
  connections[1]?.notify('jobs', '3');
  expect(three.payloads).toEqual(['3']);
  // A client of the first connection does not take the second one along.
  one.client.release();
  expect(connections[1]?.release).not.toHaveBeenCalled();
});

it('all clients hear that the connection broke, and those that come back share the next one', async () => {
  const clients = [await listener('jobs'), await listener('jobs')];
  const errors: Error[] = [];
  const back: Promise<PgPoolClient>[] = [];
  for (const { client } of clients) {
    client.on('error', (error: Error) => {
      errors.push(error);
      client.release(true);
      back.push(session.connect());
    });
  }
  connections[0]?.emit('error', new Error('gone'));
  expect(errors).toHaveLength(2);
  await Promise.all(back);
  expect(connections).toHaveLength(2);
  expect(connections[0]?.release).toHaveBeenCalledTimes(1);
  expect(connections[1]?.release).not.toHaveBeenCalled();
});

it('an attempt to connect that failed is repeated for the next client', async () => {
  const opened = new Connection() as unknown as PgPoolClient;
  const open = jest
    .fn<() => Promise<PgPoolClient>>()
    .mockRejectedValueOnce(new Error('refused'))
    .mockResolvedValue(opened);
  const repeated = new SharedSession(open);
  await expect(repeated.connect()).rejects.toThrow('refused');
  await expect(repeated.connect()).resolves.toBeDefined();
});

it('a client without a listener for errors ends no process', async () => {
  const { client } = await listener('jobs');
  client.removeAllListeners();
  expect(() => connections[0]?.emit('error', new Error('gone'))).not.toThrow();
});
