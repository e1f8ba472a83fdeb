import { once } from 'node:events';
import { connect } from 'node:net';
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

/** So long a task takes; so many run at once. */
const TASK = 10;
const TASKS_AT_ONCE = 4;
/** Clients that connect at once: fewer than a server lets wait at its door. */
const AT_ONCE = 100;

class Waits {
  @Task('Waits.end')
  async end(): Promise<void> {
    await pause(TASK);
  }
}

/** One request, as a browser or another service sends it, on a connection of its own. */
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

interface Client {
  /** Milliseconds from the end of the task to the answer. */
  readonly answered: Promise<number>;
}

/** All clients; `port` is that of the web process. */
function clients(tasks: number): StartContender {
  return async (place, port) => {
    const { app, queue } = await appAt(place, { role: 'producer' });
    const native = app.get<Queue>(getQueueToken('default'));
    const crowd: Client[] = [];
    return helper(() => app.close(), {
      steps: {
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
        async finish() {
          await native.resume();
          const times = await Promise.all(crowd.map(({ answered }) => answered));
          return { p50: percentile(times, 50), p99: percentile(times, 99) };
        },
      },
    });
  };
}

export const contenders: Contenders = {
  async web(place) {
    const app = await NestFactory.create(moduleAt(place, { role: 'producer' }), { logger: ['error', 'warn'] });
    await app.listen(0, '127.0.0.1');
    const server = app.getHttpServer() as import('node:http').Server;
    return helper(() => app.close(), {
      info: (server.address() as import('node:net').AddressInfo).port,
      steps: {
        clients: () =>
          new Promise((resolve) => server.getConnections((_error, count) => resolve({ connections: count }))),
      },
    });
  },

  async worker(place) {
    const { app } = await appAt(
      place,
      { role: 'worker', queues: { default: { concurrency: TASKS_AT_ONCE } } },
      { providers: [Waits] },
    );
    return helper(() => app.close());
  },

  'each for its own': clients(2 * EACH),
  'all for one': clients(1),
};

async function measure({ file, server, profiles }: Course, kind: string): Promise<Figures> {
  const place = freePlace('redis', await server('redis'));
  const redis = new Redis(place.connection);
  const connections = async () => Number(/connected_clients:(\d+)/.exec(await redis.info('clients'))?.[1]);
  const worker = await Rival.start(file, 'worker', place);
  const before = await connections();
  const web = await Rival.start(file, 'web', place, 0, profiles);
  const crowd = await Rival.start(file, kind, place, web.info as number);
  const withoutWeb = (await connections()) - before;
  const idle = await web.memory();
  await crowd.step('connect');
  while ((await web.step('clients')).connections < 2 * EACH) await pause(50);
  // Until what they sent is read.
  await pause(1_000);
  const waiting = await web.memory();
  const withClients = (await connections()) - before;
  const { p50, p99 } = await crowd.step('finish');
  for (const rival of [crowd, web, worker]) await rival.close();
  redis.disconnect();
  return { p50, p99, memory: (waiting - idle) / (2 * EACH), more: withClients - withoutWeb };
}

export async function run(course: Course): Promise<Row[]> {
  const rows: Row[] = [];
  for (const kind of ['each for its own', 'all for one']) {
    const measured: Figures[] = [];
    for (let round = 0; round < course.rounds; round++) measured.push(await measure(course, kind));
    const row = (what: string, figure: string, unit: string, atMost?: number): Row => {
      const values = measured.map((figures) => figures[figure]);
      const spread = `${readable(Math.min(...values))} to ${readable(Math.max(...values))}`;
      return {
        what: `${kind}: ${what}`,
        ours: `${readable(median(values))} ${unit}`,
        peer: '',
        ratio: spread,
        must: atMost === undefined ? '' : `at most ${atMost}`,
        met: atMost === undefined ? undefined : median(values) <= atMost,
      };
    };
    rows.push(
      row('answered after, p50', 'p50', 'ms'),
      row('answered after, p99', 'p99', 'ms', 250),
      row('memory of a client', 'memory', 'bytes', 20_000),
      // One to hear of changes on, however many wait.
      row('connections more than idle', 'more', 'connections', 1),
    );
  }
  return rows;
}
