import { afterAll, afterEach, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';
import { Injectable, Module, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Task, TaskQueue, TaskQueueModule, type TaskHandle, type Tasks } from 'nestjs-task-queue';
import type { AddressInfo } from 'node:net';
import { newTaskId } from '../../lib/engine/task-id.js';
import { OutboxMover } from '../../lib/transactions/outbox/outbox-mover.js';
import { WaitingCalls } from '../../lib/transactions/outbox/waiting-calls.js';
import { describeEachEngine } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { openEvents, request } from '../support/http-client.js';
import { createOutbox, transact, type TestDatabase } from '../support/outbox-database.js';
import { until } from '../support/until.js';

@Injectable()
class Work {
  @Task()
  async double(value: number): Promise<number> {
    return value * 2;
  }
}

describeEachEngine('a call in an outbox, over HTTP', (engine) => {
  let database: TestDatabase;
  let app: INestApplication;
  let url: string;
  let work: Tasks<Work>;
  /** The relay moves nothing until it is open. */
  let gate: Gate;

  beforeAll(async () => {
    database = await createOutbox('postgres');
    const place = await engine.place();
    @Module({
      imports: [TaskQueueModule.forRoot({ ...place, outbox: { connection: database.url } })],
      providers: [Work],
    })
    class App {}
    app = await NestFactory.create(App, { logger: false, abortOnError: false });
    await app.listen(0, '127.0.0.1');
    url = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
    work = app.get(TaskQueue).of(Work);
  });
  afterAll(async () => {
    await app?.close();
    await database?.close();
  });
  beforeEach(() => {
    gate = new Gate();
    const { move } = OutboxMover.prototype;
    jest.spyOn(OutboxMover.prototype, 'move').mockImplementation(async function (this: OutboxMover, batch) {
      await gate.opened;
      return move.call(this, batch);
    });
  });
  afterEach(async () => {
    gate.open();
    jest.restoreAllMocks();
    await until(async () => (await database.query('SELECT 1 FROM task_outbox')).length === 0, 'the outbox is empty');
  });

  const store = (delay?: string): Promise<TaskHandle<number>> =>
    transact(database, (tx) =>
      (delay === undefined ? work.double : work.double.with({ delay: delay as '1h' })).in(tx).enqueue(21),
    );

  it('is queued for GET /tasks/:id from the commit on, and then what the task is', async () => {
    const { id } = await store();
    for (const method of ['GET', 'HEAD']) {
      const { status, headers, text } = await request(url, `/tasks/${id}`, { method });
      expect([status, headers['retry-after'], headers['cache-control']]).toEqual([200, '1', 'private, no-cache']);
      if (method === 'GET')
        expect(JSON.parse(text)).toMatchObject({ id, name: 'Work.double', state: 'queued', attempt: 0 });
    }
    const held = request(url, `/tasks/${id}?wait=20`);
    const short = await request(url, `/tasks/${id}?wait=1`);
    expect([short.status, short.json()]).toMatchObject([200, { state: 'queued' }]);
    gate.open();
    expect((await held).json()).toMatchObject({ id, state: 'succeeded', result: 42 });
    expect((await request(url, `/tasks/${id}`)).json()).toMatchObject({ id, state: 'succeeded', result: 42 });
  });

  it('is queued in the first event, and its end comes in a later one', async () => {
    const { id } = await store();
    const events = await openEvents(url, `/tasks/${id}`);
    expect((await events.next())?.status).toMatchObject({ id, state: 'queued' });
    gate.open();
    let last: Record<string, unknown> | undefined;
    for (let event = await events.next(); event; event = await events.next()) last = event.status;
    expect(last).toMatchObject({ id, state: 'succeeded', result: 42 });
  });

  it('is scheduled when it has a delay', async () => {
    const { id } = await store('1h');
    expect((await request(url, `/tasks/${id}`)).json()).toMatchObject({ id, state: 'scheduled' });
    gate.open();
    await until(async () => (await database.query('SELECT 1 FROM task_outbox')).length === 0, 'the outbox is empty');
    expect((await request(url, `/tasks/${id}`)).json()).toMatchObject({ id, state: 'scheduled' });
    await request(url, `/tasks/${id}`, { method: 'DELETE' });
  });

  it('is cancelled by DELETE /tasks/:id once it is moved', async () => {
    const { id } = await store('1h');
    const find = jest.spyOn(WaitingCalls.prototype, 'find');
    const deleted = request(url, `/tasks/${id}`, { method: 'DELETE' });
    await until(() => find.mock.calls.length > 1, 'the request waits until the call is moved');
    gate.open();
    expect((await deleted).status).toBe(202);
    const end = await request(url, `/tasks/${id}?wait=20`);
    expect(end.json()).toMatchObject({ id, state: 'cancelled' });
  });

  it('is no unknown task for DELETE /tasks/:id while it cannot be moved', async () => {
    const { id } = await store('1h');
    const { status, headers } = await request(url, `/tasks/${id}`, { method: 'DELETE' });
    expect([status, headers['retry-after']]).toEqual([503, expect.any(String)]);
    expect((await request(url, `/tasks/${id}`)).json()).toMatchObject({ state: 'scheduled' });
    gate.open();
    const handle = app.get(TaskQueue).handle(id);
    await handle.cancel();
    await expect(handle.result({ timeout: '15s' })).rejects.toMatchObject({ code: 'TASK_CANCELLED' });
  });

  it('is unknown before the commit, and after a rollback', async () => {
    const { adapter, rollback } = await database.begin();
    const { id } = await work.double.in(adapter).enqueue(1);
    const asked = async (method = 'GET', of = id) => (await request(url, `/tasks/${of}`, { method })).status;
    expect([await asked(), await asked('DELETE')]).toEqual([404, 404]);
    await rollback();
    expect([await asked(), await asked('DELETE'), await asked('GET', newTaskId('default'))]).toEqual([404, 404, 404]);
  });
});
