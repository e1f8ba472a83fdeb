import { Injectable, Module, type DynamicModule, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Redis } from 'ioredis';
import type { Course, Row } from './harness/compare.js';
import type { Contender, Contenders, Place } from './harness/contender.js';
import { median } from './harness/figures.js';
import { freePlace, Rival } from './harness/rival.js';

const QUEUES = 20;
const TASKS_OF_EACH = 10;
/** README: one for commands, one to hear of changes, one for all workers, and one for each queue. */
const CONNECTIONS = 3 + QUEUES;
/** Milliseconds. */
const AT_MOST = 300;

export const about = `The start of a process with ${QUEUES * TASKS_OF_EACH} tasks on ${QUEUES} queues, until it listens and works, against the same application without the module; and how many connections it then has to Redis.`;

/** Providers whose methods are tasks, or were if `decorate` did anything. */
function providers(decorate: (queue: string) => (method: string) => MethodDecorator): Type[] {
  return Array.from({ length: QUEUES }, (_, queue) => {
    const decorateMethod = decorate(`queue-${queue}`);
    class Work {}
    Object.defineProperty(Work, 'name', { value: `Work${queue}` });
    for (let task = 0; task < TASKS_OF_EACH; task++) {
      const key = `task${task}`;
      const descriptor = { value: async () => undefined, writable: true, configurable: true };
      Object.defineProperty(Work.prototype, key, descriptor);
      decorateMethod(key)(Work.prototype, key, descriptor);
    }
    Injectable()(Work);
    return Work;
  });
}

async function listen(module: Type | DynamicModule): Promise<Contender> {
  const app = await NestFactory.create(module, { logger: ['error', 'warn'] });
  await app.listen(0, '127.0.0.1');
  // Since the process began.
  const info = performance.now();
  return { info, round: async () => ({}), close: () => app.close() };
}

export const contenders: Contenders = {
  async without() {
    @Module({ providers: providers(() => () => () => undefined) })
    class App {}
    return listen(App);
  },

  async with(place) {
    // Here, for what it takes to load it belongs to the start.
    const { Task, TaskQueueModule } = await import('nestjs-task-queue');
    const { connection, prefix }: Place = place;
    @Module({
      imports: [TaskQueueModule.forRoot({ connection, prefix })],
      providers: providers((queue) => () => Task({ queue })),
    })
    class App {}
    return listen(App);
  },
};

export async function run({ file, rounds, server }: Course): Promise<Row[]> {
  const place = freePlace('redis', await server('redis'));
  const redis = new Redis(place.connection);
  const connected = async () => Number(/connected_clients:(\d+)/.exec(await redis.info('clients'))?.[1]);
  const connections: number[] = [];
  async function start(name: string): Promise<number> {
    const before = await connected();
    const rival = await Rival.start(file, name, place);
    if (name === 'with') connections.push((await connected()) - before);
    await rival.close();
    return rival.info as number;
  }
  const without: number[] = [];
  const own: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    without.push(await start('without'));
    own.push(await start('with'));
  }
  redis.disconnect();
  // The first fills the caches of the file system.
  const more = own.map((value, round) => value - without[round]).slice(1);
  const most = Math.max(...connections);
  return [
    {
      what: `start with ${QUEUES * TASKS_OF_EACH} tasks on ${QUEUES} queues`,
      ours: `${median(own).toFixed(0)} ms`,
      peer: `without the module: ${median(without).toFixed(0)} ms`,
      ratio: `${median(more).toFixed(0)} ms more (${Math.min(...more).toFixed(0)} to ${Math.max(...more).toFixed(0)})`,
      must: `at most ${AT_MOST} ms more`,
      met: median(more) <= AT_MOST,
    },
    {
      what: 'connections to Redis',
      ours: `${most}`,
      peer: '',
      ratio: '',
      must: `${CONNECTIONS}, as the README says`,
      met: most === CONNECTIONS,
    },
  ];
}
