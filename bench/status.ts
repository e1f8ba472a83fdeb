import { Controller, Get, Inject, Module, NotFoundException, Param } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import autocannon from 'autocannon';
import { Redis } from 'ioredis';
import { Task, TaskQueue } from 'nestjs-task-queue';
import { compare, type Course, type Row, type Target } from './harness/compare.js';
import type { Contenders, Figures, StartContender } from './harness/contender.js';
import { helper } from './harness/helper.js';
import type { Rival } from './harness/rival.js';
import { PAYLOAD, type Payload } from './harness/workload.js';
import { appAt, moduleAt } from './peers/apps.js';

export const about =
  'GET /tasks/:id of a task that succeeded, asked of a web process by 50 clients at once, against a handler of the same application, or of one without this package, that reads one Redis hash.';

const CLIENTS = 50;
const SECONDS = 4;

class Mails {
  @Task('Mails.send')
  async send(mail: Payload): Promise<Payload> {
    return mail;
  }
}

/** The handler of an application that stores its statuses in Redis hashes. */
@Controller('hashes')
class HashController {
  constructor(@Inject(Redis) private readonly redis: Redis) {}

  @Get(':key')
  async read(@Param('key') key: string): Promise<Record<string, string>> {
    const hash = await this.redis.hgetall(key);
    if (!hash['state']) throw new NotFoundException();
    return hash;
  }
}

/** @param ofPackage whether the application also uses this package */
function hashHandler(ofPackage: boolean): StartContender {
  return async (place) => {
    const redis = new Redis(place.connection);
    const metadata = { controllers: [HashController], providers: [{ provide: Redis, useValue: redis }] };
    @Module(metadata)
    class Plain {}
    const app = await NestFactory.create(ofPackage ? moduleAt(place, { role: 'producer' }, metadata) : Plain, {
      logger: ['error', 'warn'],
    });
    const key = `${place.prefix}:hash`;
    await redis.hset(key, { id: key, name: 'Mails.send', state: 'succeeded', result: JSON.stringify(PAYLOAD) });
    await app.listen(0, '127.0.0.1');
    return {
      info: `${await app.getUrl()}/hashes/${key}`,
      round: async () => ({}),
      async close() {
        await app.close();
        redis.disconnect();
      },
    };
  };
}

export const contenders: Contenders = {
  'Redis hash': hashHandler(true),
  'Redis hash, without this package': hashHandler(false),

  async worker(place) {
    const { app } = await appAt(place, { role: 'worker' }, { providers: [Mails] });
    return helper(() => app.close());
  },

  async 'GET /tasks/:id'(place) {
    const app = await NestFactory.create(moduleAt(place, { role: 'producer' }), { logger: ['error', 'warn'] });
    await app.listen(0, '127.0.0.1');
    const handle = await app.get(TaskQueue).of<Mails['send']>('Mails.send').enqueue(PAYLOAD);
    await handle.result();
    return {
      info: `${await app.getUrl()}/tasks/${handle.id}`,
      round: async () => ({}),
      close: () => app.close(),
    };
  },
};

async function requests({ info }: Rival): Promise<Figures> {
  const result = await autocannon({ url: info as string, connections: CLIENTS, duration: SECONDS });
  if (result.errors + result.non2xx > 0) throw new Error(`${info as string} did not always answer with 200.`);
  return { 'requests/s': result.requests.total / result.duration, 'ms p99': result.latency.p99 };
}

export async function run(course: Course): Promise<Row[]> {
  const against = (peer: string, target?: Target) =>
    compare(course, {
      what: 'Redis',
      store: 'redis',
      peer: { name: peer },
      rivals: [{ name: 'GET /tasks/:id', ...(target && { target }) }],
      beside: { 'GET /tasks/:id': 'worker' },
      measure: requests,
    });
  const rows = [
    ...(await against('Redis hash', { atLeast: 0.8 })),
    ...(await against('Redis hash, without this package')),
  ];
  // The target is about throughput. The time of an answer is only printed.
  return rows.map((row) => (row.ours.endsWith('p99') ? { ...row, must: '', met: undefined } : row));
}
