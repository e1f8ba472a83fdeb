import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { HeldRequests } from '../../lib/http/held-requests.js';
import { TaskResults } from '../../lib/results/task-results.js';
import { platforms, startApp } from '../support/http-app.js';
import { open, openEvents, request } from '../support/http-client.js';
import { until } from '../support/until.js';

describe.each(platforms)('event streams on %s', (platform) => {
  let tasks: Awaited<ReturnType<typeof startApp>>;
  const held = () => tasks.app.get(HeldRequests).size;

  beforeEach(async () => {
    tasks = await startApp(platform, {
      times: { heartbeat: 10 },
      prepare: (app) => app.enableCors({ origin: 'https://shop.example' }),
    });
  });
  afterEach(() => tasks.app.close());

  test('an event stream sends the current status, then each change, and ends with the final status', async () => {
    const { engine, url } = tasks;
    const id = engine.add({ state: 'queued' });
    const events = await openEvents(url, `/tasks/${id}`);
    expect(events.status).toBe(200);
    expect(events.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': expect.stringContaining('no-transform'),
      'x-accel-buffering': 'no',
      'access-control-allow-origin': 'https://shop.example',
    });
    expect((await events.next())?.status).toMatchObject({ id, state: 'queued', progress: null });
    engine.change(id, { state: 'running' });
    expect((await events.next())?.status).toMatchObject({ state: 'running' });
    engine.change(id, { progress: 'a line\nand another' });
    expect((await events.next())?.status).toMatchObject({ progress: 'a line\nand another' });
    engine.succeed(id, [1]);
    expect((await events.next())?.status).toMatchObject({ state: 'succeeded', result: [1] });
    expect(await events.next()).toBeUndefined();
    expect([engine.watched, held()]).toEqual([0, 0]);
  });

  test('the event stream of a final task sends one event and ends', async () => {
    const id = tasks.engine.add({ state: 'succeeded' });
    const events = await openEvents(tasks.url, `/tasks/${id}`);
    expect((await events.next())?.status).toMatchObject({ state: 'succeeded' });
    expect(await events.next()).toBeUndefined();
  });

  test('a client that reconnects does not get the event it has already', async () => {
    const { engine, url } = tasks;
    const id = engine.add();
    const first = await openEvents(url, `/tasks/${id}`);
    const seen = await first.next();
    first.disconnect();
    const again = await openEvents(url, `/tasks/${id}`, { 'Last-Event-ID': seen?.id as string });
    await until(() => engine.watched === 1);
    engine.succeed(id, 'new');
    const last = await again.next();
    expect(last?.status).toMatchObject({ state: 'succeeded', result: 'new' });

    const missed = await openEvents(url, `/tasks/${id}`, { 'Last-Event-ID': seen?.id as string });
    expect(await missed.next()).toEqual(last);
    expect(await missed.next()).toBeUndefined();
  });

  test('the endpoint answers 204 to a client that has the final event, which stops an EventSource', async () => {
    const id = tasks.engine.add({ state: 'succeeded' });
    const last = await (await openEvents(tasks.url, `/tasks/${id}`)).next();
    const { status, text } = await request(tasks.url, `/tasks/${id}`, {
      headers: { Accept: 'text/event-stream', 'Last-Event-ID': last?.id as string },
    });
    expect([status, text]).toEqual([204, '']);
  });

  test('the endpoint answers 404 and opens no event stream for an unknown id', async () => {
    const { status, headers } = await request(tasks.url, '/tasks/unknown', {
      headers: { Accept: 'text/event-stream' },
    });
    expect([status, headers['content-type']]).toEqual([404, 'application/problem+json; charset=utf-8']);
  });

  test('an event stream sends heartbeats while the task does not change', async () => {
    const id = tasks.engine.add();
    const events = await openEvents(tasks.url, `/tasks/${id}`);
    await events.nextComment();
    await events.nextComment();
    events.disconnect();
  });

  test('a client that disconnects is released, and the other client still gets the final status', async () => {
    const { engine, url } = tasks;
    const id = engine.add();
    const [leaving, staying] = [await openEvents(url, `/tasks/${id}`), await openEvents(url, `/tasks/${id}`)];
    await until(() => held() === 2);
    leaving.disconnect();
    await until(() => held() === 1);
    engine.succeed(id);
    await staying.next();
    expect((await staying.next())?.status).toMatchObject({ state: 'succeeded' });
    await until(() => held() === 0);
    expect(engine.watched).toBe(0);
  });

  test('a client that reads slowly misses changes, but not the final status', async () => {
    const { engine, url } = tasks;
    const id = engine.add();
    const message = await open(url, `/tasks/${id}`, 'GET', { Accept: 'text/event-stream' });
    message.pause();
    const rounds = 40;
    for (let round = 1; round <= rounds; round++) {
      const before = engine.finds;
      engine.change(id, { progress: { round, filler: 'x'.repeat(1_000_000) } });
      await until(() => engine.finds > before);
    }
    engine.succeed(id, 'the end');
    let text = '';
    for await (const chunk of message.setEncoding('utf8')) text += chunk;
    const events = text.match(/^event: status$/gm) ?? [];
    expect(events.length).toBeLessThan(rounds / 2);
    expect(text.slice(-1000)).toContain('"result":"the end"');
  });

  test('the event streams of a task end when the task is forgotten', async () => {
    const id = tasks.engine.add();
    const events = await openEvents(tasks.url, `/tasks/${id}`);
    await events.next();
    tasks.engine.drop(id);
    expect(await events.next()).toBeUndefined();
  });

  test.each(['the application', 'TaskResults'])('event streams end when %s closes', async (closed) => {
    const { app, engine, url } = tasks;
    const id = engine.add();
    const events = await openEvents(url, `/tasks/${id}`);
    await events.next();
    if (closed === 'the application') await app.close();
    else await app.get(TaskResults).close();
    expect(await events.next()).toBeUndefined();
    expect([held(), engine.watched]).toEqual([0, 0]);
  });

  test('the endpoint sends only the current status while the application closes', async () => {
    const { app, engine, url } = tasks;
    await app.get(HeldRequests).onModuleDestroy();
    const id = engine.add();
    const events = await openEvents(url, `/tasks/${id}`);
    expect((await events.next())?.status).toMatchObject({ state: 'running' });
    expect(await events.next()).toBeUndefined();
    expect((await request(url, `/tasks/${id}?wait=20`)).json()).toMatchObject({ state: 'running' });
    expect(engine.watched).toBe(0);
  });

  test('an unexpected error is logged and disconnects only the client of that event stream', async () => {
    const { app, engine, url, log } = tasks;
    const id = engine.add();
    const message = await open(url, `/tasks/${id}`, 'GET', { Accept: 'text/event-stream' });
    await until(() => engine.watched === 1);
    // No engine reports such a record: its start time is invalid.
    engine.change(id, { startedAt: Number.NaN });
    await expect(message.toArray()).rejects.toThrow('aborted');
    expect(log.errors.join()).toContain('Invalid time value');
    expect([held(), (await request(url, '/tasks/x')).status]).toEqual([0, 404]);
    await app.close();
  });
});
