import { afterEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { request as sendRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { ClientConnections } from '../../lib/http/client-connections.js';
import { HeldRequests } from '../../lib/http/held-requests.js';
import { platforms, startApp, type Setting } from '../support/http-app.js';
import { open, openEvents, request } from '../support/http-client.js';
import { until } from '../support/until.js';

const EVENTS = 'Accept: text/event-stream\r\n';
/** The text of a request on a kept-alive connection. */
const get = (path: string, headers = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;

/** Twice the data that the buffers of the system take from a server whose client does not read: about 4 MB on Linux. */
const UNREAD = 'x'.repeat(8_000_000);

/** Far more than the time that closing takes, and far less than the time limits of Node for idle connections. */
const SOON = 3_000;

describe.each(platforms)('held requests on %s', (platform) => {
  let tasks: Awaited<ReturnType<typeof startApp>>;
  let socket: Socket | undefined;
  const held = () => tasks.app.get(HeldRequests).size;
  const connections = () => tasks.app.get(ClientConnections).size;
  const start = async (setting: Setting = {}) =>
    (tasks = await startApp(platform, { times: { closingInterval: 30 }, ...setting }));

  /** Opens a connection that reads nothing until the test reads from it. */
  const connectTo = async (url: string): Promise<Socket> => {
    socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {});
    await once(socket, 'connect');
    return socket;
  };

  afterEach(async () => {
    socket?.destroy();
    await tasks.app.close();
  });

  test.each([
    ['long polls', '?wait=60', ''],
    ['event streams', '', EVENTS],
  ])('pipelined %s are released when their client disconnects', async (_, query, headers) => {
    const { engine, url } = await start({ http: { maxHeldPerClient: 1_000 } });
    const id = engine.add();
    const client = await connectTo(url);
    client.resume();
    client.write(get(`/tasks/${id}${query}`, headers).repeat(100));
    await until(() => held() === 100, 'the server holds 100 requests; no event announces it');
    expect(connections()).toBe(1);
    client.destroy();
    await until(() => held() === 0, 'the server noticed the disconnect; no event announces it');
    expect([engine.watched, connections()]).toEqual([0, 0]);
  });

  test('pipelined requests beyond the limit are released when their client disconnects', async () => {
    const { engine, url } = await start({ http: { maxHeldPerClient: 10 } });
    const id = engine.add();
    const client = await connectTo(url);
    client.resume();
    client.write(get(`/tasks/${id}`, EVENTS).repeat(20));
    await until(() => held() === 10, 'the server holds 10 requests; no event announces it');
    client.destroy();
    await until(() => held() === 0, 'the server noticed the disconnect; no event announces it');
    expect(engine.watched).toBe(0);
  });

  test('a connection on which many answers wait behind a held request is closed', async () => {
    const { engine, url } = await start();
    const id = engine.add();
    const client = await connectTo(url);
    client.resume();
    client.write(get(`/tasks/${id}`, EVENTS) + get(`/tasks/${id}`).repeat(100));
    await once(client, 'close');
    await until(() => held() === 0 && connections() === 0, 'the server released the connection');
  });

  test('requests that are released one by one leave nothing behind on their connection', async () => {
    const { engine, url } = await start();
    const client = await connectTo(url);
    let text = '';
    client.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    for (let round = 1; round <= 20; round++) {
      const id = engine.add();
      client.write(get(`/tasks/${id}?wait=60`));
      await until(() => held() === 1, 'the server holds the request; no event announces it');
      engine.succeed(id);
      await until(() => text.split('HTTP/1.1 200').length === round + 1, 'the client has the answer');
    }
    expect([held(), engine.watched]).toEqual([0, 0]);
    await until(() => connections() === 0, 'the server noticed that the last answer was sent');
  });

  test('a pipelined event stream begins when the stream before it ends, with the newest status', async () => {
    const { engine, url } = await start();
    const [first, second] = [engine.add(), engine.add()];
    const client = await connectTo(url);
    let text = '';
    client.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    client.write(get(`/tasks/${first}`, EVENTS) + get(`/tasks/${second}`, EVENTS));
    await until(() => held() === 2, 'the server holds both requests; no event announces it');
    engine.change(second, { progress: 'unread' });
    engine.succeed(second, 'two');
    await until(() => engine.watched === 1, 'the server has the end of the second task; no event announces it');
    engine.succeed(first, 'one');
    await until(() => text.includes('"two"'), 'the client has the second stream');
    await until(() => held() === 0, 'the server noticed that both answers were sent; no event announces it');
    expect(text.indexOf('"one"')).toBeLessThan(text.indexOf('"two"'));
    expect(text.split('retry: 2000')).toHaveLength(3);
    expect(text.slice(text.indexOf(second)).split('event: status')).toHaveLength(1);
  });

  test('one client beyond its limit gets 429, and other clients do not', async () => {
    const { engine, url, log } = await start({ http: { maxHeldPerClient: 2 } });
    const id = engine.add();
    const stream = await openEvents(url, `/tasks/${id}`);
    const poll = sendRequest(`${url}/tasks/${id}?wait=60`, { agent: false }).on('error', () => {});
    poll.end();
    await until(() => held() === 2, 'the server holds both requests; no event announces it');
    for (const [query, headers] of [
      ['?wait=60', {}],
      ['', { Prefer: 'wait=5' }],
      ['', { Accept: 'text/event-stream' }],
    ] as const) {
      const refused = await request(url, `/tasks/${id}${query}`, { headers });
      expect([refused.status, refused.headers['retry-after'], refused.headers['content-type']]).toEqual([
        429,
        '5',
        'application/problem+json; charset=utf-8',
      ]);
      expect(refused.json()).toMatchObject({ title: 'Too Many Requests', code: 'TOO_MANY_HELD_REQUESTS' });
    }
    expect((await request(url, `/tasks/${id}`)).status).toBe(200);
    expect((await request(url, `/tasks/${engine.add({ state: 'succeeded' })}?wait=60`)).status).toBe(200);
    expect(log.warnings).toEqual([
      expect.stringContaining('http.maxHeldPerClient (2) requests of the client 127.0.0.1'),
    ]);

    const { port } = new URL(url);
    const other = sendRequest({ port, path: `/tasks/${id}?wait=60`, host: '127.0.0.1', localAddress: '127.0.0.2' });
    other.on('error', () => {}).end();
    await until(() => held() === 3, 'the server holds the request of another address; no event announces it');
    other.destroy();

    stream.disconnect();
    await until(() => held() === 1, 'the server noticed both disconnects; no event announces it');
    const again = await open(url, `/tasks/${id}`, 'GET', { Accept: 'text/event-stream' });
    expect(again.statusCode).toBe(200);
    again.destroy();
    poll.destroy();
  });

  test('the client is the address that a trusted proxy reports', async () => {
    const { engine, url } = await start({ http: { maxHeldPerClient: 1 }, trustProxy: true });
    const id = engine.add();
    const from = (address: string) =>
      open(url, `/tasks/${id}`, 'GET', { Accept: 'text/event-stream', 'X-Forwarded-For': address });
    const streams = [await from('10.0.0.1'), await from('10.0.0.1'), await from('10.0.0.2')];
    expect(streams.map(({ statusCode }) => statusCode)).toEqual([200, 429, 200]);
    for (const stream of streams) stream.destroy();
  });

  test('all clients beyond the limit get 503', async () => {
    const { engine, url, log } = await start({ http: { maxHeld: 1 } });
    const id = engine.add();
    const stream = await openEvents(url, `/tasks/${id}`);
    for (let round = 0; round < 2; round++) {
      const { status, headers, json } = await request(url, `/tasks/${id}?wait=60`);
      expect([status, headers['retry-after']]).toEqual([503, '5']);
      expect(json()).toMatchObject({ title: 'Service Unavailable', status: 503, code: 'TOO_MANY_HELD_REQUESTS' });
    }
    expect(log.warnings).toEqual([expect.stringContaining('http.maxHeld (1) requests are open')]);
    stream.disconnect();
    await until(() => held() === 0, 'the server noticed the disconnect; no event announces it');
    const poll = request(url, `/tasks/${id}?wait=60`);
    await until(() => held() === 1, 'the server holds the request; no event announces it');
    engine.succeed(id);
    expect((await poll).status).toBe(200);
  });

  test.each([
    ['runs', false],
    ['has ended', true],
  ])('an application that closes does not wait for an unread event stream of a task that %s', async (_, ended) => {
    const { app, engine, url } = await start();
    const id = engine.add();
    const client = await connectTo(url);
    client.pause();
    client.write(get(`/tasks/${id}`, EVENTS));
    await until(() => held() === 1, 'the server holds the request; no event announces it');
    const before = engine.finds;
    engine.change(id, { progress: UNREAD });
    await until(() => engine.finds > before, 'the change was fetched; no event announces it');
    if (ended) {
      engine.succeed(id);
      await until(() => engine.watched === 0, 'the server has the end of the task; no event announces it');
      expect(held()).toBe(1);
    }
    const began = Date.now();
    await app.close();
    expect(Date.now() - began).toBeLessThan(SOON);
    expect([held(), connections()]).toEqual([0, 0]);
  });

  test('an unread event stream of a task that has ended is released when its client disconnects', async () => {
    const { engine, url } = await start();
    const id = engine.add();
    const client = await connectTo(url);
    client.pause();
    client.write(get(`/tasks/${id}`, EVENTS));
    await until(() => held() === 1, 'the server holds the request; no event announces it');
    const before = engine.finds;
    engine.change(id, { progress: UNREAD });
    await until(() => engine.finds > before, 'the change was fetched; no event announces it');
    engine.succeed(id);
    await until(() => engine.watched === 0, 'the server has the end of the task; no event announces it');
    client.destroy();
    await until(() => held() === 0 && connections() === 0, 'the server noticed the disconnect');
  });

  test.each([
    ['held answers', '?wait=60'],
    ['immediate answers', ''],
  ])('an application that closes does not wait for a client that does not read %s', async (_, query) => {
    const { app, engine, url } = await start();
    const id = engine.add({ progress: UNREAD });
    const client = await connectTo(url);
    client.pause();
    client.write(get(`/tasks/${id}${query}`).repeat(2));
    await until(() => engine.finds >= 2, 'the server has the requests; no event announces it');
    const began = Date.now();
    await app.close();
    expect(Date.now() - began).toBeLessThan(SOON);
  });

  test('an application that closes ends kept-alive connections once their held requests are answered', async () => {
    const { app, engine, url } = await start();
    const id = engine.add();
    const client = await connectTo(url);
    let text = '';
    client.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    client.write(get(`/tasks/${id}?wait=60`) + get(`/tasks/${id}?wait=60`) + get(`/tasks/${id}`, EVENTS));
    await until(() => held() === 3, 'the server holds the requests; no event announces it');
    const began = Date.now();
    const closed = once(client, 'close');
    await app.close();
    expect(Date.now() - began).toBeLessThan(SOON);
    await closed;
    expect(text.split('HTTP/1.1 200')).toHaveLength(4);
    expect(text).toMatch(/0\r\n\r\n$/);
    expect([held(), engine.watched]).toEqual([0, 0]);
  });
});
