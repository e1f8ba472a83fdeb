import { describe, expect, test } from '@jest/globals';
import type { TaskFailure, TaskRecord } from '../../lib/engine/task.js';
import { platforms, startApp } from '../support/http-app.js';
import { openEvents, request } from '../support/http-client.js';
import { until } from '../support/until.js';

const HIDDEN_ERROR = { name: 'Error', message: 'The task failed' };
const FAILURE: TaskFailure = {
  name: 'TypeError',
  message: 'password is undefined',
  code: 'E1',
  stack: 'at secret.ts:1',
};

async function inProduction<T>(work: () => Promise<T>): Promise<T> {
  const before = process.env['NODE_ENV'];
  process.env['NODE_ENV'] = 'production';
  try {
    return await work();
  } finally {
    process.env['NODE_ENV'] = before;
  }
}

describe.each(platforms)('errors of tasks on %s', (platform) => {
  test('clients see name, message and code of an error outside production, but no stack', async () => {
    const { app, engine, url, log } = await startApp(platform);
    const id = engine.add({ state: 'failed', error: FAILURE });
    const { json, text } = await request(url, `/tasks/${id}`);
    expect(json()).toMatchObject({ error: { name: 'TypeError', message: 'password is undefined', code: 'E1' } });
    expect(text).not.toContain('secret.ts');
    expect(log.errors).toEqual([]);
    await app.close();
  });

  test('production hides an error in every kind of response, and logs it once with the id of the task', async () => {
    const { app, engine, url, log } = await inProduction(() => startApp(platform));
    const id = engine.add({ state: 'retrying', error: FAILURE });
    const retrying = await request(url, `/tasks/${id}`);
    engine.change(id, { state: 'failed' });
    const answers = [
      retrying.json(),
      (await request(url, `/tasks/${id}`)).json(),
      (await request(url, `/tasks/${id}?wait=1`)).json(),
      (await request(url, `/tasks/${id}`, { method: 'DELETE' })).json(),
      (await (await openEvents(url, `/tasks/${id}`)).next())?.status,
    ];
    for (const answer of answers) expect((answer as TaskRecord).error).toEqual(HIDDEN_ERROR);
    expect(log.errors).toHaveLength(1);
    expect(log.errors[0]).toContain(`Task Reports.build (${id}) failed`);
    expect(log.errors[0]).toContain('TypeError: password is undefined');
    expect(log.errors[0]).toContain('at secret.ts:1');

    const other = engine.add({ state: 'failed', error: FAILURE });
    await request(url, `/tasks/${other}`);
    expect(log.errors).toHaveLength(2);
    await app.close();
  });

  test('production shows an error written for callers, and the reasons of cancellation and expiry', async () => {
    const { app, engine, url, log } = await inProduction(() => startApp(platform));
    for (const record of [
      { state: 'failed', error: { ...FAILURE, exposable: true } },
      { state: 'cancelled', error: { name: 'TaskCancelledError', message: 'by ann' } },
      { state: 'expired', error: { name: 'TaskExpiredError', message: 'too late' } },
    ] as const) {
      const { json } = await request(url, `/tasks/${engine.add(record)}`);
      const { error } = json() as { error: object };
      expect(error).toMatchObject({ name: record.error.name, message: record.error.message });
      expect(Object.keys(error).toSorted()).toEqual(
        'code' in record.error ? ['code', 'message', 'name'] : ['message', 'name'],
      );
    }
    expect(log.errors).toEqual([]);
    await app.close();
  });

  test('an exposeErrors function that throws hides the error, also from a client that waits', async () => {
    const { app, engine, url, log } = await startApp(platform, {
      http: {
        exposeErrors: () => {
          throw new Error('no such policy');
        },
      },
    });
    const id = engine.add();
    const late = request(url, `/tasks/${id}?wait=10`);
    await until(() => engine.watched === 1);
    engine.change(id, { state: 'failed', error: FAILURE });
    expect((await late).json()).toMatchObject({ error: HIDDEN_ERROR });
    expect(log.errors.join()).toContain('no such policy');
    await app.close();
  });
});
