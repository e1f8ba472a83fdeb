import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import pg from 'pg';
import { ConfigurationError, Task } from 'nestjs-task-queue';
import { boot } from '../../support/boot.js';
import { createDatabase, freePrefix } from '../../support/servers.js';

@Injectable()
class Mails {
  @Task()
  async send(order: number): Promise<number> {
    return order;
  }
}

const roles = [freePrefix(), freePrefix()] as const;
let database: Awaited<ReturnType<typeof createDatabase>>;
let admin: pg.Client;

beforeAll(async () => {
  database = await createDatabase(process.env['TEST_POSTGRES_URL'] as string);
  admin = new pg.Client(database.url);
  await admin.connect();
  for (const role of roles) await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
});
afterAll(async () => {
  await admin.end();
  await database.drop();
  const server = new pg.Client(process.env['TEST_POSTGRES_URL']);
  await server.connect();
  for (const role of roles) await server.query(`DROP ROLE ${role}`);
  await server.end();
});

function urlOf(role: string): string {
  return Object.assign(new URL(database.url), { username: role, password: 'secret' }).href;
}

it('an application whose role may create nothing runs, and its calls in transactions name the cure until another role has run it', async () => {
  const [role] = roles;
  const owner = await boot({ connection: database.url }, []);
  await owner.app.close();
  // As a version of this package left the schema that stored nothing in transactions.
  await admin.query('DROP FUNCTION tasks.task_queue_enqueue_1(text)');
  await admin.query(`
    GRANT USAGE ON SCHEMA tasks TO ${role};
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA tasks TO ${role};
    GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA tasks TO ${role}`);
  const { app, queue } = await boot({ connection: urlOf(role) }, [Mails]);
  const mails = queue.of(Mails);
  expect(await (await mails.send.enqueue(1)).result({ timeout: '10s' })).toBe(1);

  const client = new pg.Client(urlOf(role));
  await client.connect();
  await client.query('BEGIN');
  const refused = mails.send.in(client).enqueue(2);
  await expect(refused).rejects.toThrow(ConfigurationError);
  await expect(refused).rejects.toThrow('npx nestjs-task-queue migrate');
  const again = await boot({ connection: database.url }, []);
  await again.app.close();
  const handle = await mails.send.in(client).enqueue(3);
  await client.query('COMMIT');
  expect(await handle.result({ timeout: '10s' })).toBe(3);
  await client.end();
  await app.close();
});

it('a transaction of a role that may not use the schema gets the command that lets it', async () => {
  const { app, queue } = await boot({ connection: database.url }, [Mails]);
  const client = new pg.Client(urlOf(roles[1]));
  await client.connect();
  await client.query('BEGIN');
  const refused = queue.of(Mails).send.in(client).enqueue(1);
  await expect(refused).rejects.toThrow(ConfigurationError);
  await expect(refused).rejects.toThrow(/may not use the schema "tasks".*migrate.*--grant/);
  await client.end();
  await app.close();
});
