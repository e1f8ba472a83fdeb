import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { chain, Task, TaskNotFoundError, type TaskHandle, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { createOutbox, type TestDatabase } from '../support/outbox-database.js';
import { freePrefix } from '../support/servers.js';
import { libraries, type Library } from './libraries.js';

@Injectable()
class Mails {
  @Task()
  async confirm(text: string): Promise<string> {
    return text;
  }

  @Task()
  async add(one: number, other: number): Promise<number> {
    return one + other;
  }
}

let database: TestDatabase;
let booted: Booted;
let mails: Tasks<Mails>;

beforeAll(async () => {
  database = await createOutbox('postgres');
  await database.query('CREATE TABLE orders (id integer PRIMARY KEY)');
  booted = await boot({ connection: `memory:${freePrefix()}`, outbox: { connection: database.url } }, [Mails]);
  mails = booted.queue.of(Mails);
});
afterAll(async () => {
  await booted.app.close();
  await database.close();
});

let next = 1;

describe.each(Object.entries(libraries))('the outbox in transactions of %s', (_, open) => {
  let library: Library;
  beforeAll(async () => {
    library = await open(database.url);
  });
  afterAll(async () => {
    await library.close();
  });

  it('calls run after the commit', async () => {
    const handles: TaskHandle[] = [];
    const text = `?: $1 :x "it's" \\ é 🚀`;
    await library.transaction(async (tx, insert) => {
      await insert(next++);
      handles.push(await mails.confirm.in(tx).enqueue(text));
      handles.push(...(await mails.confirm.in(tx).enqueueMany([[text], [text]])));
      handles.push(await chain(mails.add.signature(1, 2), mails.add.signature(3)).in(tx).enqueue());
      await expect(handles[0]?.status()).rejects.toThrow(TaskNotFoundError);
      await expect(handles[0]?.result()).rejects.toThrow('was called inside of it');
    });
    const results = await Promise.all(handles.map((handle) => handle.result({ timeout: '20s' })));
    expect(results).toEqual([text, text, text, 6]);
  });

  it('calls do not exist after a rollback', async () => {
    let handle: TaskHandle | undefined;
    const done = library.transaction(async (tx) => {
      handle = await mails.confirm.in(tx).enqueue('gone');
      throw new Error('rolled back');
    });
    await expect(done).rejects.toThrow('rolled back');
    expect(await database.query(`SELECT seq FROM task_outbox WHERE payload LIKE '%gone%'`)).toEqual([]);
    await expect(handle?.status()).rejects.toThrow(TaskNotFoundError);
  });
});
