import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { request as sendRequest } from 'node:http';
import { EngineUnavailableError } from '../../lib/errors.js';
import { anyText } from '../support/any-text.js';
import { platforms, startApp } from '../support/http-app.js';
import { open, request } from '../support/http-client.js';
import { until } from '../support/until.js';

const NOT_FOUND = {
  type: 'about:blank',
  title: 'Not Found',
  status: 404,
  detail: 'There is no such task.',
  code: 'TASK_NOT_FOUND',
};

describe.each(platforms)('GET and DELETE /tasks/:id on %s', (platform) => {
  let app: Awaited<ReturnType<typeof startApp>>;
  const get = (path: string, headers?: Record<string, string>) => request(app.url, path, { headers });
  const cancel = (id: string) => request(app.url, `/tasks/${id}`, { method: 'DELETE' });

  beforeAll(async () => {
    app = await startApp(platform, { times: { longestWait: 100 } });
  });
  afterAll(() => app.app.close());

  test('GET answers with the status of a task that is not final, and with Retry-After', async () => {
    const id = app.engine.add({ progress: { current: 1, total: 4 } });
    const { status, headers, json } = await get(`/tasks/${id}`);
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'private, no-cache',
      'retry-after': '1',
      vary: expect.stringContaining('Accept'),
      etag: expect.stringMatching(/^W\/"[\w-]{27}"$/),
    });
    expect(json()).toEqual({
      id,
      name: 'Reports.build',
      queue: 'default',
      state: 'running',
      progress: { current: 1, total: 4 },
      result: null,
      error: null,
      attempt: 1,
      maxAttempts: 1,
      enqueuedAt: '2026-01-01T00:00:00.000Z',
      startedAt: '2026-01-01T00:00:01.000Z',
      finishedAt: null,
      expiresAt: null,
      blockedBy: null,
    });
  });

  test('GET tells why a queued task waits, and no more than the kind', async () => {
    const id = app.engine.add({ state: 'queued', startedAt: null });
    const { json } = await get(`/tasks/${id}`);
    expect(json()).toMatchObject({ state: 'queued', blockedBy: 'no-worker' });
    expect(json()).not.toHaveProperty('position');
    expect(json()).not.toHaveProperty('estimatedStart');
    const detailed = await startApp(platform, { http: { details: true } });
    const other = detailed.engine.add({ state: 'queued', startedAt: null });
    expect((await request(detailed.url, `/tasks/${other}`)).json()).toMatchObject({
      ...{ blockedBy: 'no-worker', position: 0, estimatedStart: null },
    });
    await detailed.app.close();
  });

  test('GET sends no Retry-After for a final task', async () => {
    const id = app.engine.add({ state: 'succeeded', result: { url: '/x' } });
    const { headers, json } = await get(`/tasks/${id}`);
    expect(headers).not.toHaveProperty('retry-after');
    expect(json()).toMatchObject({ state: 'succeeded', result: { url: '/x' } });
  });

  test('GET answers 304 while the client has the current status, and 200 once the status changed', async () => {
    const id = app.engine.add();
    const etag = (await get(`/tasks/${id}`)).headers.etag as string;
    for (const header of [etag, etag.slice(2), `"other", ${etag}`, '*']) {
      const { status, text, headers } = await get(`/tasks/${id}`, { 'If-None-Match': header });
      expect([status, text, headers.etag, headers['retry-after']]).toEqual([304, '', etag, '1']);
    }
    app.engine.change(id, { progress: 2 });
    expect((await get(`/tasks/${id}`, { 'If-None-Match': etag })).status).toBe(200);
  });

  test('HEAD answers with the headers alone', async () => {
    const id = app.engine.add();
    const { status, headers, text } = await request(app.url, `/tasks/${id}`, { method: 'HEAD' });
    expect([status, text]).toEqual([200, '']);
    expect(headers.etag).toBe((await get(`/tasks/${id}`)).headers.etag);
  });

  test.each([
    ['a preference', '', { Prefer: 'respond-async, wait=20' }],
    ['a parameter', '?wait=20', {}],
  ])(
    'a request that waits by %s is answered as soon as the task is final',
    async (_, query, headers: Record<string, string>) => {
      const long = await startApp(platform);
      const id = long.engine.add();
      const reply = request(long.url, `/tasks/${id}${query}`, { headers });
      await until(() => long.engine.watched === 1);
      long.engine.change(id, { progress: 1 });
      long.engine.succeed(id, 'done');
      const { status, headers: answered, json } = await reply;
      expect([status, answered['preference-applied']]).toEqual([200, headers['Prefer'] && 'wait=20']);
      expect(answered).not.toHaveProperty('retry-after');
      expect(answered).toMatchObject({ etag: expect.any(String), 'content-type': 'application/json; charset=utf-8' });
      expect(json()).toMatchObject({ state: 'succeeded', result: 'done' });
      expect(long.engine.watched).toBe(0);
      await long.app.close();
    },
  );

  test('a request that waits in vain gets the current status after the longest wait', async () => {
    const id = app.engine.add();
    const reply = get(`/tasks/${id}?wait=3600`);
    await until(() => app.engine.watched === 1);
    app.engine.change(id, { progress: 'half' });
    const { status, headers, json } = await reply;
    expect([status, headers['retry-after']]).toEqual([200, '1']);
    expect(json()).toMatchObject({ state: 'running', progress: 'half' });
    expect(app.engine.watched).toBe(0);
  });

  test('a request that waits in vain gets 304 if the client has the current status', async () => {
    const id = app.engine.add();
    const etag = (await get(`/tasks/${id}`)).headers.etag as string;
    const { status, headers } = await get(`/tasks/${id}`, { Prefer: 'wait=9', 'If-None-Match': etag });
    expect([status, headers.etag, headers['preference-applied']]).toEqual([304, etag, 'wait=0.1']);
  });

  test('a request is answered at once when the task is final, or the wait is 0 or invalid', async () => {
    const final = app.engine.add({ state: 'failed', error: { name: 'E', message: 'm' } });
    const { headers } = await get(`/tasks/${final}`, { Prefer: 'wait="20"; x=y' });
    expect(headers['preference-applied']).toBe('wait=0.1');
    for (const wait of ['0', 'soon', '-1', '1e3', '', '%00']) {
      expect((await get(`/tasks/${app.engine.add()}?wait=${wait}`)).status).toBe(200);
    }
    expect(app.engine.watched).toBe(0);
  });

  test('a request that waits gets 404 when the task is removed', async () => {
    const long = await startApp(platform);
    const id = long.engine.add();
    const reply = request(long.url, `/tasks/${id}?wait=20`);
    await until(() => long.engine.watched === 1);
    long.engine.drop(id);
    const { status, headers, json } = await reply;
    expect([status, headers['content-type'], json()]).toEqual([
      404,
      'application/problem+json; charset=utf-8',
      NOT_FOUND,
    ]);
    await long.app.close();
  });

  test('the engine is no longer watched after a waiting client disconnects', async () => {
    const long = await startApp(platform);
    const id = long.engine.add();
    const client = sendRequest(`${long.url}/tasks/${id}?wait=20`, { agent: false }).on('error', () => {});
    client.end();
    await until(() => long.engine.watched === 1);
    client.destroy();
    await until(() => long.engine.watched === 0);
    await long.app.close();
  });

  test('an application that closes answers the requests that wait', async () => {
    const long = await startApp(platform);
    const id = long.engine.add();
    const reply = request(long.url, `/tasks/${id}?wait=20`);
    await until(() => long.engine.watched === 1);
    await long.app.close();
    expect((await reply).json()).toMatchObject({ id, state: 'running' });
    expect(long.engine.watched).toBe(0);
  });

  test('DELETE answers 202 for a queued and a running task, and 200 for a final task', async () => {
    const queued = await cancel(app.engine.add({ state: 'queued' }));
    expect([queued.status, queued.json()]).toEqual([202, expect.objectContaining({ state: 'cancelled' })]);
    const running = await cancel(app.engine.add());
    expect([running.status, running.headers['retry-after'], running.json()]).toEqual([
      202,
      '1',
      expect.objectContaining({ state: 'running' }),
    ]);
    const cancelled = app.engine.cancelled.length;
    const final = await cancel(app.engine.add({ state: 'succeeded' }));
    expect([final.status, final.json()]).toEqual([200, expect.objectContaining({ state: 'succeeded' })]);
    expect(app.engine.cancelled).toHaveLength(cancelled);
  });

  test('a malformed id gets the same answer as an unknown id', async () => {
    const segment = fc.oneof(
      anyText({ minLength: 1 }),
      fc.constantFrom(
        '../../etc/passwd',
        '\0',
        'default.\0',
        '__proto__',
        'a'.repeat(10_000),
        ':',
        '%2e',
        'tâche',
        '👻',
      ),
    );
    const get404 = async (text: string, method = 'GET') => {
      const escaped = encodeURIComponent(text).replace(/^\.+$/, '%2e');
      const { status, headers, json } = await request(app.url, `/tasks/${escaped}`, { method });
      expect([status, headers['content-type'], json()]).toEqual([
        404,
        'application/problem+json; charset=utf-8',
        NOT_FOUND,
      ]);
    };
    await get404('default.0000000000000000000000');
    await get404('a'.repeat(10_000), 'DELETE');
    await fc.assert(
      fc.asyncProperty(
        segment.filter((text) => text.isWellFormed()),
        (text) => get404(text),
      ),
      { numRuns: 60 },
    );
    for (const path of [
      '/tasks/../tasks/x',
      '/tasks/%2e%2e%2fx/y',
      '/tasks/%ff',
      '/tasks/%',
      '/tasks//',
      '/tasks/a/b',
    ]) {
      expect((await get(path)).status).toBeLessThan(500);
    }
  });

  test('the endpoint answers 503 without the error message when the engine cannot be reached', async () => {
    const id = app.engine.add();
    app.engine.failure = new EngineUnavailableError('redis://:secret@10.0.0.1 does not answer');
    for (const { status, headers, text } of [await get(`/tasks/${id}?wait=5`), await cancel(id)]) {
      expect([status, headers['retry-after']]).toEqual([503, '5']);
      expect(headers['content-type']).toBe('application/problem+json; charset=utf-8');
      expect(text).not.toContain('secret');
      expect(JSON.parse(text)).toMatchObject({ status: 503, code: 'ENGINE_UNAVAILABLE' });
    }
    app.engine.failure = undefined;
  });

  test('the endpoint answers 500 without the error message to an unexpected error, and logs the error', async () => {
    const faulty = await startApp(platform);
    faulty.engine.failure = new Error('a bug with a secret');
    const { status, text } = await request(faulty.url, '/tasks/any');
    expect([status, text.includes('secret'), faulty.log.errors.length]).toEqual([500, false, 1]);
    await faulty.app.close();
  });
});

describe.each(platforms)('authorize on %s', (platform) => {
  test.each([
    ['false', () => false],
    ['a promise of false', () => Promise.resolve(false)],
    ['nothing', () => undefined as unknown as boolean],
    [
      'an exception',
      () => {
        throw new Error('session store is down');
      },
    ],
  ])('the endpoint hides the task and does not cancel it when the outcome of authorize is %s', async (_, authorize) => {
    const { app, engine, url, log } = await startApp(platform, { http: { authorize } });
    const id = engine.add({ state: 'queued' });
    const unknown = await request(url, '/tasks/unknown');
    const requests: Parameters<typeof request>[2][] = [
      {},
      { method: 'DELETE' },
      { headers: { Accept: 'text/event-stream' } },
      { headers: { Prefer: 'wait=9' } },
    ];
    for (const options of requests) {
      const { status, text } = await request(url, `/tasks/${id}`, options);
      expect([status, text]).toEqual([404, unknown.text]);
    }
    expect(engine.cancelled).toEqual([]);
    expect(log.errors.every((line) => line.includes(id) && line.includes('session store'))).toBe(true);
    await app.close();
  });

  test('authorize gets the request and the status', async () => {
    const { app, engine, url } = await startApp(platform, {
      http: { authorize: async ({ headers }, { name }) => headers['x-user'] === name },
    });
    const id = engine.add({ name: 'ann' });
    expect((await request(url, `/tasks/${id}`, { headers: { 'X-User': 'ann' } })).status).toBe(200);
    expect((await request(url, `/tasks/${id}`, { headers: { 'X-User': 'bob' } })).status).toBe(404);
    const events = await open(url, `/tasks/${id}`, 'GET', { 'X-User': 'ann', Accept: 'text/event-stream' });
    expect(events.statusCode).toBe(200);
    events.destroy();
    await app.close();
  });

  test('authorize gets the headers that the task was enqueued with, and clients never get them', async () => {
    const { app, engine, url } = await startApp(platform, {
      http: { authorize: ({ headers }, _status, { owner }) => headers['x-user'] === owner },
    });
    const id = engine.add({ headers: { owner: 'ann' } });
    const answer = await request(url, `/tasks/${id}`, { headers: { 'X-User': 'ann' } });
    expect(answer.status).toBe(200);
    expect(JSON.stringify(answer.json())).not.toContain('ann');
    expect((await request(url, `/tasks/${id}`, { headers: { 'X-User': 'bob' } })).status).toBe(404);
    await app.close();
  });
});
