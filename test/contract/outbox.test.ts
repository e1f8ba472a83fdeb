import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { chain, group, Task, TaskAdmin, TaskContext, type Tasks } from 'nestjs-task-queue';
import { newTaskId } from '../../lib/engine/task-id.js';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { createOutbox, transact, type TestDatabase } from '../support/outbox-database.js';
import { Recorder } from '../support/recorder.js';
import { until } from '../support/until.js';

const ran = new Recorder<string>();

@Injectable()
class Work {
  constructor(private readonly task: TaskContext) {}

  @Task()
  note(text: string): string {
    ran.record(text);
    return `${text}!`;
  }

  @Task({ queue: 'ordered' })
  ordered(text: string): void {
    ran.record(text);
  }

  @Task()
  add(a: number, b: number): number {
    return a + b;
  }

  @Task({ unique: { while: 'running' } })
  async slowly(key: string): Promise<string> {
    ran.record(`slowly ${key}`);
    await until(() => ran.entries.includes(`go ${key}`));
    return this.task.id;
  }

  @Task()
  total(numbers: number[]): number {
    return numbers.reduce((sum, one) => sum + one, 0);
  }
}

describeEachEngine('the outbox', (engine) => {
  let database: TestDatabase;
  let booted: Booted;
  let work: Tasks<Work>;

  beforeAll(async () => {
    database = await createOutbox('postgres');
    booted = await boot(
      { ...(await engine.place()), outbox: { connection: database.url }, queues: { ordered: { concurrency: 1 } } },
      [Work],
    );
    work = booted.queue.of(Work);
  });
  afterAll(async () => {
    await booted?.app.close();
    await database?.close();
  });

  const depth = async () =>
    Number((await database.query('SELECT count(*)::text AS rows FROM task_outbox'))[0]?.['rows']);

  it('runs a call after the commit of its transaction', async () => {
    const { adapter, commit } = await database.begin();
    const handle = await work.note.in(adapter).enqueue('committed');
    expect(handle.deduplicated).toBeUndefined();
    expect(handle.initialState).toBe('queued');
    await expect(handle.status()).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
    await commit();
    await expect(handle.result({ timeout: '20s' })).resolves.toBe('committed!');
    await until(async () => (await depth()) === 0);
  });

  it('never runs a call of a transaction that was rolled back', async () => {
    const { adapter, rollback } = await database.begin();
    const gone = await work.note.in(adapter).enqueue('rolled back');
    await rollback();
    const later = await transact(database, (tx) => work.note.in(tx).enqueue('after the rollback'));
    await later.result({ timeout: '20s' });
    await expect(gone.result({ timeout: '1s' })).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
    expect(ran.entries).not.toContain('rolled back');
  });

  it('keeps the order of each transaction, in whatever order they were opened and committed', async () => {
    const first = await database.begin();
    const second = await database.begin();
    const third = await database.begin();
    const names: string[] = [];
    for (let round = 0; round < 5; round++) {
      for (const [index, { adapter }] of [first, second, third].entries()) {
        const name = `${engine.name} ${index} ${round}`;
        names.push(name);
        await work.ordered.in(adapter).enqueue(name);
      }
    }
    await second.commit();
    await until(() => ran.entries.includes(`${engine.name} 1 4`));
    await third.commit();
    await first.commit();
    await ran.until((entries) => names.every((name) => entries.includes(name)));
    for (const index of [0, 1, 2]) {
      const own = ran.entries.filter((entry) => entry.startsWith(`${engine.name} ${index} `));
      expect(own).toEqual([0, 1, 2, 3, 4].map((round) => `${engine.name} ${index} ${round}`));
    }
  });

  it('moves many calls of one transaction, each once', async () => {
    const handles = await transact(database, (tx) =>
      work.add.in(tx).enqueueMany(Array.from({ length: 520 }, (_, n) => [n, 1])),
    );
    expect(new Set(handles.map(({ id }) => id)).size).toBe(520);
    const last = handles.at(-1);
    await expect(last?.result({ timeout: '25s' })).resolves.toBe(520);
    await expect(handles[0]?.result({ timeout: '25s' })).resolves.toBe(1);
  });

  it('moves a whole workflow', async () => {
    const total = await transact(database, (tx) =>
      chain(group([work.add.signature(1, 2), work.add.signature(3, 4)]), work.total.signature())
        .in(tx)
        .enqueue(),
    );
    expect(total.initialState).toBe('waiting');
    await expect(total.result({ timeout: '20s' })).resolves.toBe(10);
  });

  it('the handle of a duplicate leads to the task that stands for the call', async () => {
    const key = `duplicate on ${engine.name}`;
    const earlier = await work.slowly.enqueue(key);
    await ran.until((entries) => entries.includes(`slowly ${key}`));
    const later = await transact(database, (tx) => work.slowly.in(tx).enqueue(key));
    expect(later.id).not.toBe(earlier.id);
    const result = later.result({ timeout: '20s' });
    await until(async () => (await later.status().catch(() => undefined))?.id === earlier.id);
    ran.record(`go ${key}`);
    await expect(result).resolves.toBe(earlier.id);
    expect(ran.entries.filter((entry) => entry === `slowly ${key}`)).toHaveLength(1);
  });

  it('a call that contradicts an earlier one with its idempotency key fails', async () => {
    const idempotencyKey = `key on ${engine.name}`;
    const note = work.note.with({ idempotencyKey });
    const first = await note.enqueue('the first');
    const second = await transact(database, (tx) => note.in(tx).enqueue('the second'));
    const third = await transact(database, (tx) => note.in(tx).enqueue('the first'));
    await expect(second.result({ timeout: '20s' })).rejects.toMatchObject({
      code: 'TASK_FAILED',
      cause: { name: 'IdempotencyConflictError', code: 'IDEMPOTENCY_CONFLICT' },
    });
    expect(await second.status()).toMatchObject({ id: second.id, state: 'failed' });
    await expect(third.result({ timeout: '20s' })).resolves.toBe('the first!');
    expect((await third.status()).id).toBe(first.id);
    expect(ran.entries).not.toContain('the second');
  });

  it('a row that cannot be read stays, and the rows behind it are moved', async () => {
    await database.query(
      `INSERT INTO task_outbox (store, queue, calls, format, payload) SELECT store, 'default', 1, 1, payload FROM
       (VALUES ('no JSON'), ('{"calls":[{"id":1}]}'), ('[]')) AS broken (payload), (SELECT '${await storeOf()}' AS store) AS own`,
    );
    await database.query(
      `INSERT INTO task_outbox (store, queue, calls, format, payload) VALUES ('${await storeOf()}', 'default', 1, 99, '{}')`,
    );
    const handle = await transact(database, (tx) => work.note.in(tx).enqueue('behind'));
    await expect(handle.result({ timeout: '20s' })).resolves.toBe('behind!');
    // The batch of the call is stored, and removed right after.
    const failures = () => database.query(`SELECT error FROM task_outbox WHERE failed_at IS NOT NULL ORDER BY seq`);
    await until(async () => (await failures()).length === 3);
    const failed = await failures();
    expect(failed.map(({ error }) => error)).toEqual([
      'the payload is not JSON',
      'the payload contains neither calls nor a workflow',
      'the payload contains neither calls nor a workflow',
    ]);
    // The row of a newer version is left to that version.
    await until(async () => (await depth()) === 4);
    expect(await database.query(`SELECT format FROM task_outbox WHERE failed_at IS NULL`)).toEqual([{ format: 99 }]);
    await database.query('DELETE FROM task_outbox');
  });

  it('a row of a call that no engine can store stays with the reason, also when it is alone', async () => {
    const call = { id: newTaskId('default'), name: 'Work.note', queue: 'default', headers: {}, options: {} };
    const payloads = [
      { calls: [{ ...call, args: ['a\0b'] }] },
      { calls: [{ ...call, args: ['x'], options: { attempts: 'many' } }] },
      { tree: { ...call, args: [], members: [{ ...call, args: ['\ud800'], members: [] }] } },
    ];
    for (const payload of payloads) {
      await database.query(
        `INSERT INTO task_outbox (store, queue, calls, format, payload) VALUES ('${await storeOf()}', 'default', 1, 1, '${JSON.stringify(payload)}')`,
      );
      const failures = () => database.query('SELECT error FROM task_outbox WHERE failed_at IS NOT NULL');
      await until(async () => (await failures()).length === 1);
      expect((await failures())[0]?.['error']).toMatch(/contains a NUL|neither calls nor a workflow|half a surrogate/);
      await database.query('DELETE FROM task_outbox');
    }
  });

  it('queues() shows how much waits, and since when', async () => {
    await database.query(
      `INSERT INTO task_outbox (store, queue, calls, format, payload, created_at)
       VALUES ('${await storeOf()}', 'unheard', 3, 99, '{}', now() - interval '1 minute')`,
    );
    const admin = booted.app.get(TaskAdmin);
    const waitingIn = async (queue: string) => (await admin.queues()).find(({ name }) => name === queue)?.outbox;
    await until(async () => (await waitingIn('unheard')) !== undefined);
    const queues = await admin.queues();
    const { outbox } = queues.find(({ name }) => name === 'unheard') as (typeof queues)[number];
    expect(outbox?.depth).toBe(3);
    expect(outbox?.age).toBeGreaterThan(59_000);
    expect(queues.find(({ name }) => name === 'default')?.outbox).toEqual({ depth: 0, age: 0 });
    await database.query('DELETE FROM task_outbox');
  });

  /** The store of the calls of this application: what a call writes. */
  async function storeOf(): Promise<string> {
    const { adapter, rollback } = await database.begin();
    await work.note.in(adapter).enqueue('looked at');
    const [row] = await adapter.query('SELECT store FROM task_outbox ORDER BY seq DESC LIMIT 1', []);
    await rollback();
    return String(row?.['store']);
  }
});
