import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import pg from 'pg';
import {
  chain,
  ConfigurationError,
  IdempotencyConflictError,
  Task,
  TaskNotFoundError,
  type TaskHandle,
  type Tasks,
} from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { createDatabase } from '../support/servers.js';
import { libraries, type Library } from './libraries.js';

@Injectable()
class Mails {
  @Task()
  async confirm(order: number): Promise<string> {
    return `order ${order}?: $1 "it's"`;
  }

  @Task()
  async add(one: number, other: number): Promise<number> {
    return one + other;
  }
}

let database: Awaited<ReturnType<typeof createDatabase>>;
let booted: Booted;
let mails: Tasks<Mails>;
let admin: pg.Client;

beforeAll(async () => {
  database = await createDatabase(process.env['TEST_POSTGRES_URL'] as string);
  admin = new pg.Client(database.url);
  await admin.connect();
  await admin.query('CREATE TABLE orders (id integer PRIMARY KEY)');
  booted = await boot({ connection: database.url }, [Mails]);
  mails = booted.queue.of(Mails);
});
afterAll(async () => {
  await booted.app.close();
  await admin.end();
  await database.drop();
});

async function isOrdered(id: number): Promise<boolean> {
  return (await admin.query('SELECT FROM orders WHERE id = $1', [id])).rows.length > 0;
}

let next = 1;

describe.each(Object.entries(libraries))('%s', (_, open) => {
  let library: Library;
  beforeAll(async () => {
    library = await open(database.url);
  });
  afterAll(async () => {
    await library.close();
  });

  it('a call exists with the order, once that is committed', async () => {
    const id = next++;
    const handles: TaskHandle[] = [];
    await library.transaction(async (tx, insert) => {
      await insert(id);
      const handle = await mails.confirm.in(tx).enqueue(id);
      handles.push(
        handle,
        ...(await mails.confirm
          .in(tx)
          .with({ headers: { q: '?' } })
          .enqueueMany([[id], [id]])),
      );
      handles.push(await chain(mails.add.signature(1, 2), mails.add.signature(3)).in(tx).enqueue());
      await expect(handle.status()).rejects.toThrow(TaskNotFoundError);
    });
    const results = await Promise.all(handles.map((handle) => handle.result({ timeout: '15s' })));
    const mail = `order ${id}?: $1 "it's"`;
    expect(results).toEqual([mail, mail, mail, 6]);
    expect(await isOrdered(id)).toBe(true);
  });

  it('a call does not exist after a rollback, and neither does the order', async () => {
    const id = next++;
    let handle: TaskHandle | undefined;
    const done = library.transaction(async (tx, insert) => {
      await insert(id);
      handle = await mails.confirm.in(tx).enqueue(id);
      throw new Error('the card was refused');
    });
    await expect(done).rejects.toThrow('the card was refused');
    await expect(handle?.status()).rejects.toThrow(TaskNotFoundError);
    expect(await isOrdered(id)).toBe(false);
  });

  it('inside of the transaction, waiting for the result is an error at once', async () => {
    await library.transaction(async (tx) => {
      const handle = await mails.confirm.in(tx).enqueue(0);
      await expect(handle.result()).rejects.toThrow('was called inside of it');
    });
  });

  it('a refused call leaves the transaction usable', async () => {
    const id = next++;
    await library.transaction(async (tx, insert) => {
      const confirm = mails.confirm.in(tx).with({ idempotencyKey: `order ${id}` });
      await confirm.enqueue(id);
      await expect(confirm.enqueue(-id)).rejects.toThrow(IdempotencyConflictError);
      await insert(id);
    });
    expect(await isOrdered(id)).toBe(true);
  });

  it('a transaction in the transaction is rolled back with its calls alone', async () => {
    if (!library.nested) return;
    const ids = [next++, next++] as const;
    const handles: TaskHandle[] = [];
    const work = (id: number) => async (tx: object, insert: (of: number) => Promise<unknown>) => {
      await insert(id);
      handles.push(await mails.confirm.in(tx).enqueue(id));
    };
    await library.nested(work(ids[0]), async (tx, insert) => {
      await work(ids[1])(tx, insert);
      throw new Error('rolled back');
    });
    expect(await handles[0]?.result({ timeout: '15s' })).toContain(`order ${ids[0]}`);
    await expect(handles[1]?.status()).rejects.toThrow(TaskNotFoundError);
  });

  it('what is no transaction is refused by name', async () => {
    for (const [root, message] of library.roots) {
      await expect(mails.confirm.in(root).enqueue(1)).rejects.toThrow(ConfigurationError);
      await expect(mails.confirm.in(root).enqueue(1)).rejects.toThrow(message);
    }
  });

  it('another database is a ConfigurationError', async () => {
    const other = await createDatabase(process.env['TEST_POSTGRES_URL'] as string);
    const elsewhere = await open(other.url);
    const work = elsewhere.transaction(async (tx) => {
      await expect(mails.confirm.in(tx).enqueue(1)).rejects.toThrow(ConfigurationError);
      throw new Error('rolled back');
    });
    await expect(work).rejects.toThrow('rolled back');
    await elsewhere.close();
    await other.drop();
  });
});
