import { setTimeout as pause } from 'node:timers/promises';
import { getQueueToken } from '@nestjs/bullmq';
import type { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { Task } from 'nestjs-task-queue';
import pg from 'pg';
import { compare, type Course, type Row } from './harness/compare.js';
import type { Contenders, Place } from './harness/contender.js';
import { percentile } from './harness/figures.js';
import { helper } from './harness/helper.js';
import { freePlace, Rival } from './harness/rival.js';
import { PAYLOAD, type Payload } from './harness/workload.js';
import { appAt, bullmqAt } from './peers/apps.js';

export const about =
  'A queue in which very many tasks wait (`--waiting=1000000`), against an empty one: how long it takes to enqueue one more, and to end one and fetch the next. ' +
  'And what is stored of each waiting task, against a BullMQ job of the same payload.';

const WAITING = 1_000_000;
/** Tasks that are measured in a round. */
const TIMES = 300;
/** Tasks that are stored for the second comparison, and the characters by which their payload is longer than usual. */
const STORED = 30_000;
const LONGER = [0, 200, 1_000];
const AT_ONCE = 10_000;

async function fill(count: number, store: (count: number) => Promise<unknown>): Promise<void> {
  for (let left = count; left > 0; left -= AT_ONCE) await store(Math.min(left, AT_ONCE));
}

export const contenders: Contenders = {
  /** One process that enqueues tasks and runs them one at a time. */
  async '@Task'(place, waiting) {
    let starts: number[] = [];
    let enough: (() => void) | undefined;
    let queue: Queue | undefined;
    class Mails {
      @Task('Mails.send')
      async send(_mail: Payload): Promise<void> {
        starts.push(performance.now());
        if (starts.length !== TIMES) return;
        // Paused before this task ends, so that the worker does not fetch the next one.
        await queue?.pause();
        enough?.();
      }
    }
    const { app, queue: tasks } = await appAt(
      place,
      { queues: { default: { concurrency: 1 } } },
      { providers: [Mails] },
    );
    queue = app.get<Queue>(getQueueToken('default'));
    const send = tasks.of<Mails['send']>('Mails.send');
    await queue.pause();
    await fill(waiting, (count) => send.enqueueMany(Array.from({ length: count }, (): [Payload] => [PAYLOAD])));
    return {
      async round() {
        const enqueued: number[] = [];
        for (let n = 0; n < TIMES; n++) {
          const start = performance.now();
          await send.enqueue(PAYLOAD);
          enqueued.push(performance.now() - start);
        }
        starts = [];
        const ran = new Promise<void>((resolve) => (enough = resolve));
        await queue.resume();
        await ran;
        const fetched = starts.slice(1).map((start, index) => start - starts[index]);
        return { 'ms to enqueue, p50': percentile(enqueued, 50), 'ms to fetch, p50': percentile(fetched, 50) };
      },
      close: () => app.close(),
    };
  },

  async 'stored by us'(place, longer) {
    const { app, queue } = await appAt(place, { role: 'producer' });
    const send = queue.of<(mail: Payload) => void>('Mails.send');
    return helper(() => app.close(), {
      async round() {
        const calls = (count: number) => Array.from({ length: count }, (): [Payload] => [payloadOf(longer)]);
        await fill(STORED, (count) => send.enqueueMany(calls(count)));
        return {};
      },
    });
  },

  async 'stored by BullMQ'(place, longer) {
    const { Queue, options } = bullmqAt(place);
    const queue = new Queue('default', options);
    await queue.waitUntilReady();
    return helper(() => queue.close(), {
      async round() {
        const jobs = (count: number) =>
          Array.from({ length: count }, () => ({ name: 'Mails.send', data: payloadOf(longer) }));
        await fill(STORED, (count) => queue.addBulk(jobs(count)));
        return {};
      },
    });
  },
};

function payloadOf(longer: number): Payload {
  return longer > 0 ? { ...PAYLOAD, template: 'x'.repeat(longer) } : PAYLOAD;
}

/** Bytes that the server has stored: in its memory, or in the tables and indexes of the place. */
async function storedBytes({ store, connection, prefix }: Place): Promise<number> {
  if (store === 'redis') {
    const redis = new Redis(connection);
    const info = await redis.info('memory');
    redis.disconnect();
    return Number(/used_memory_dataset:(\d+)/.exec(info)?.[1]);
  }
  const client = new pg.Client(connection);
  await client.connect();
  const { rows } = await client.query<{ bytes: string }>(
    `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) AS bytes FROM pg_class c
     JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'r'`,
    [prefix],
  );
  await client.end();
  return Number(rows[0].bytes);
}

/** The stored bytes of one task, without the memory that a connection needs. */
async function bytesPerTask(
  { file, server }: Course,
  store: 'redis' | 'postgres',
  name: string,
  longer: number,
): Promise<number> {
  const place = freePlace(store, await server(store));
  const rival = await Rival.start(file, name, place, longer);
  const before = await storedBytes(place);
  await rival.round();
  await pause(200);
  const bytes = ((await storedBytes(place)) - before) / STORED;
  await rival.close();
  return bytes;
}

async function storage(course: Course, what: string, store: 'redis' | 'postgres', longer: number): Promise<Row> {
  const peer = await bytesPerTask(course, store, 'stored by BullMQ', longer);
  const own = await bytesPerTask(course, store, 'stored by us', longer);
  return {
    what: `${what}: stored of a task, payload of ${JSON.stringify(payloadOf(longer)).length} bytes`,
    ours: `${own.toFixed(0)} bytes`,
    peer: `BullMQ job: ${peer.toFixed(0)} bytes`,
    ratio: (own / peer).toFixed(2),
    must: 'at most 1.1',
    met: own / peer <= 1.1,
  };
}

export async function run(course: Course): Promise<Row[]> {
  const waiting = course.option('waiting', WAITING);
  const rows: Row[] = [];
  for (const [what, store] of [
    ['Redis', 'redis'],
    ['PostgreSQL', 'postgres'],
  ] as const) {
    for (const longer of LONGER) rows.push(await storage(course, what, store, longer));
    rows.push(
      ...(await compare(course, {
        what: `${what}, ${waiting.toLocaleString('en')} waiting against ${TIMES}`,
        store,
        peer: { name: '@Task' },
        rivals: [{ name: '@Task', variant: waiting, target: { atMost: 1.2 } }],
      })),
    );
  }
  return rows;
}
