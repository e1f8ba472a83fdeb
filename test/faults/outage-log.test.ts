import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable, Logger } from '@nestjs/common';
import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { Task, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { startPostgres, startRedis, type Server } from '../support/servers.js';
import { startProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';
import { makePostgresReadOnly } from './support/refusals.js';

@Injectable()
class Work {
  @Task()
  async echo(value: number): Promise<number> {
    return value;
  }
}

/** Milliseconds of each fault, in which the log had a line every second or two. */
const FAULT = 10_000;

let lines: string[];
let server: Server;
let proxy: TcpProxy;
let booted: Booted;
let work: Tasks<Work>;

async function start(startServer: () => Promise<Server>): Promise<void> {
  server = await startServer();
  proxy = await startProxy(server.port);
  const connection = server.url.replace(`:${server.port}`, `:${proxy.port}`);
  booted = await boot({ connection, prefix: 'log', enqueueTimeout: '1s' }, [Work]);
  work = booted.queue.of(Work);
  expect(await (await work.echo.enqueue(1)).result()).toBe(1);
}

beforeEach(() => {
  lines = [];
  for (const level of ['log', 'warn', 'error'] as const) {
    jest.spyOn(Logger.prototype, level).mockImplementation((line: string) => void lines.push(line));
  }
});
afterEach(async () => {
  await booted.app.close();
  await proxy.close();
  await server.close();
  jest.restoreAllMocks();
});

const begins = () => lines.filter((line) => /cannot be reached|answers and refuses/.test(line));
const ends = () => lines.filter((line) => /(can be reached|takes calls) again/.test(line));

/** Calls the engine all the time, as an application does, whether the calls succeed or not. */
async function callUntil(end: number): Promise<void> {
  while (Date.now() < end) {
    await Promise.allSettled([work.echo.enqueue(1), booted.queue.handle(`default.${'x'.repeat(22)}`).status()]);
    await sleep(100);
  }
}

async function endsOnce(): Promise<void> {
  expect(begins().length).toBeLessThanOrEqual(1);
  await until(
    async () => {
      await Promise.allSettled([work.echo.enqueue(1), booted.queue.handle(`default.${'x'.repeat(22)}`).status()]);
      return ends().length === begins().length;
    },
    () => `the outage ends in the log:\n${lines.join('\n')}`,
  );
  expect(await (await work.echo.enqueue(2)).result({ timeout: '10s' })).toBe(2);
  expect(begins().length).toBeLessThanOrEqual(1);
}

describe.each([
  ['Redis', startRedis],
  ['PostgreSQL', startPostgres],
] as const)('the log of an application on %s', (_, startServer) => {
  it('has one line for the begin and one for the end when connections are cut again and again', async () => {
    await start(startServer);
    const end = Date.now() + FAULT;
    const calls = callUntil(end);
    while (Date.now() < end) {
      proxy.cut();
      await sleep(700);
    }
    await calls;
    await endsOnce();
  });
});

describe('the log of an application on PostgreSQL', () => {
  it('has one line for the begin and one for the end when the server is read-only', async () => {
    await start(startPostgres);
    const allow = await makePostgresReadOnly(server);
    await callUntil(Date.now() + FAULT);
    expect(begins()).toEqual([expect.stringContaining('answers and refuses')]);
    expect(ends()).toEqual([]);
    await allow();
    await endsOnce();
  });
});

describe('the log of an application on Redis', () => {
  it('has one line for the begin and one for the end when the server is read-only', async () => {
    await start(startRedis);
    const admin = new Redis(server.url);
    await admin.replicaof('127.0.0.1', 1);
    await callUntil(Date.now() + FAULT);
    expect(begins()).toEqual([expect.stringContaining('answers and refuses')]);
    expect(ends()).toEqual([]);
    await admin.replicaof('NO', 'ONE');
    admin.disconnect();
    await endsOnce();
  });
});
