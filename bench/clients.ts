import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { getQueueToken } from '@nestjs/bullmq';
import { NestFactory } from '@nestjs/core';
import type { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { Task } from 'nestjs-task-queue';
import type { Course, Row } from './harness/compare.js';
import type { Contenders, Figures, StartContender } from './harness/contender.js';
import { median, percentile, readable } from './harness/figures.js';
import { helper } from './harness/helper.js';
import { freePlace, Rival } from './harness/rival.js';
import { appAt, moduleAt } from './peers/apps.js';

const EACH = 2_000;

export const about =
  `${EACH.toLocaleString('en')} clients who wait by long polling and as many by server-sent events, on one web process: each for a task of its own, of which 400 end a second, or all for the same task. ` +
  'How long after the end of its task a client has its answer, what it costs the web process in resident memory, and how many connections the process has to Redis without and with them.';

const KINDS = ['each for its own', 'all for one'] as const;

/** Milliseconds that a task takes, and the number of tasks that run at the same time: 400 tasks a second. */
const TASK = 10;
const TASKS_AT_ONCE = 4;
/** Bytes of a status, without the time at which the task ended. */
const STATUS = 250;
/** Clients that connect at the same time: fewer than the backlog of the server's socket. */
const AT_ONCE = 100;

class Waits {
  @Task('Waits.end')
  async end(): Promise<void> {
    await pause(TASK);
  }
}

/** Sends one request as a browser or another service does, on a new connection. */
async function follow(port: number, id: string, kind: 'poll' | 'events'): Promise<Client> {
  const path = kind === 'poll' ? `/tasks/${id}?wait=60` : `/tasks/${id}`;
  const accept = kind === 'poll' ? 'application/json' : 'text/event-stream';
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  await once(socket, 'connect');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: ${accept}\r\n\r\n`);
  const answered = new Promise<number>((resolve, reject) => {
    let text = '';
    socket.on('data', (chunk: string) => {
      text += chunk;
      const [, finishedAt] = /"finishedAt":"([^"]+)"/.exec(text) ?? [];
      if (finishedAt === undefined) return;
      resolve(Date.now() - Date.parse(finishedAt));
      socket.destroy();
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error(`The connection ended without an answer: ${text}`)));
  });
  return { answered };
}

/** Sends one request that is answered at once. */
async function ask(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1').resume();
  socket.write('GET /tasks/unknown HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n');
  await once(socket, 'close');
}

interface Client {
  /** Milliseconds from the end of the task to the answer. */
  readonly answered: Promise<number>;
}

/** Starts the process of all clients. `port` is the port of the web process. */
function clients(tasks: number): StartContender {
  return async (place, port) => {
    const { app, queue } = await appAt(place, { role: 'producer' });
    const native = app.get<Queue>(getQueueToken('default'));
    const crowd: Client[] = [];
    return helper(() => app.close(), {
      steps: {
        async warmUp() {
          for (let asked = 0; asked < 2 * EACH; asked += AT_ONCE) {
            await Promise.all(Array.from({ length: AT_ONCE }, () => ask(port)));
          }
          return {};
        },
        async connect() {
          await native.pause();
          const handles = await queue.of('Waits.end').enqueueMany(Array.from({ length: tasks }, () => []));
          while (crowd.length < 2 * EACH) {
            const some = Array.from({ length: AT_ONCE }, (_, index) => {
              const client = crowd.length + index;
              return follow(port, handles[client % tasks].id, client < EACH ? 'poll' : 'events');
            });
            crowd.push(...(await Promise.all(some)));
          }
          return {};
        },
        async release() {
          await native.resume();
          return {};
        },
        async answers() {
          const times = await Promise.all(crowd.map(({ answered }) => answered));
          return { p50: percentile(times, 50), p99: percentile(times, 99) };
        },
      },
    });
  };
}

export const contenders: Contenders = {
  async web(place) {
    // All clients have the same address.
    const http = { maxHeld: 2 * EACH, maxHeldPerClient: 2 * EACH };
    const app = await NestFactory.create(moduleAt(place, { role: 'producer', http }), { logger: ['error', 'warn'] });
    await app.listen(0, '127.0.0.1');
    return helper(() => app.close(), webServer(app.getHttpServer() as Server));
  },

  /** Node's server alone. It answers all clients at the same time, with as many bytes as this package. */
  async bare() {
    const waiting: ServerResponse[] = [];
    const server = createServer((request, response) => {
      if (request.url === '/tasks/unknown') return void response.end();
      waiting.push(response);
      if (request.headers.accept !== 'text/event-stream') return;
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.write('retry: 2000\n\n');
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { info, steps } = webServer(server);
    const release = async () => {
      const status = JSON.stringify({ finishedAt: new Date(), filler: 'x'.repeat(STATUS) });
      for (const response of waiting) response.end(status);
      return {};
    };
    return helper(async () => void server.close(), { info, steps: { ...steps, release } });
  },

  async worker(place) {
    const { app } = await appAt(
      place,
      { role: 'worker', queues: { default: { concurrency: TASKS_AT_ONCE } } },
      { providers: [Waits] },
    );
    return helper(() => app.close());
  },

  [KINDS[0]]: clients(2 * EACH),
  [KINDS[1]]: clients(1),
};

/** The port of a server, and a step that counts its clients. */
function webServer(server: Server) {
  const clientsOf = () =>
    new Promise<Figures>((resolve) => server.getConnections((_error, count) => resolve({ connections: count })));
  return { info: (server.address() as AddressInfo).port, steps: { clients: clientsOf } };
}

const SERVERS = ['web', 'bare'];

/** Measures the clients of one kind, on a server with this package or on Node's server alone. */
async function measure({ file, server, profiles }: Course, kind: string, name: string): Promise<Figures> {
  const place = freePlace('redis', await server('redis'));
  const redis = new Redis(place.connection);
  const connections = async () => Number(/connected_clients:(\d+)/.exec(await redis.info('clients'))?.[1]);
  const worker = await Rival.start(file, 'worker', place);
  const before = await connections();
  const web = await Rival.start(file, name, place, 0, profiles);
  const crowd = await Rival.start(file, kind, place, web.info as number);
  const withoutWeb = (await connections()) - before;
  // The first requests of a process take memory that later requests use again: short-lived objects, compiled code.
  await crowd.step('warmUp');
  const idle = await web.memory();
  await crowd.step('connect');
  while ((await web.step('clients')).connections < 2 * EACH) await pause(50);
  // Until the server has read the requests.
  await pause(1_000);
  const waiting = await web.memory();
  const withClients = (await connections()) - before;
  await (name === 'web' ? crowd : web).step('release');
  const { p50, p99 } = await crowd.step('answers');
  for (const rival of [crowd, web, worker]) await rival.close();
  redis.disconnect();
  return { p50, p99, memory: (waiting - idle) / (2 * EACH), more: withClients - withoutWeb };
}

export async function run(course: Course): Promise<Row[]> {
  const rows: Row[] = [];
  for (const kind of KINDS) {
    const measured: Figures[][] = [];
    for (let round = 0; round < course.rounds; round++) {
      const both: Figures[] = [];
      for (const name of SERVERS) both.push(await measure(course, kind, name));
      measured.push(both);
    }
    const row = (what: string, figure: string, unit: string, atMost?: number): Row => {
      const [own = [], bare = []] = SERVERS.map((_, index) => measured.map((both) => both[index][figure]));
      return {
        what: `${kind}: ${what}`,
        ours: `${readable(median(own))} ${unit}`,
        peer: `Node's server alone: ${readable(median(bare))} ${unit}`,
        ratio: `${readable(Math.min(...own))} to ${readable(Math.max(...own))}`,
        must: atMost === undefined ? '' : `at most ${atMost}`,
        met: atMost === undefined ? undefined : median(own) <= atMost,
      };
    };
    rows.push(
      row('answered after, p50', 'p50', 'ms'),
      row('answered after, p99', 'p99', 'ms', 250),
      row('memory of a client', 'memory', 'bytes', 20_000),
    );
    // One connection for changes, for any number of clients that wait.
    rows.push({ ...row('connections more than idle', 'more', 'connections', 1), peer: '' });
  }
  return rows;
}
