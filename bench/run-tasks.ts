import { BullModule, getQueueToken, Processor, WorkerHost } from '@nestjs/bullmq';
import {
  Injectable,
  Module,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type CallHandler,
  type CanActivate,
  type NestInterceptor,
  type PipeTransform,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Job, Queue } from 'bullmq';
import { Task, type TaskQueueOptions } from 'nestjs-task-queue';
import { compare, type Course, type Entry, type Row, type Target } from './harness/compare.js';
import type { Contender, Contenders, Place, StartContender } from './harness/contender.js';
import { CONCURRENCY, Counter, PAYLOAD, type Payload } from './harness/workload.js';
import { appAt, bullmqAt } from './peers/apps.js';
import { inStorage } from './peers/in-storage.js';
import { runWithBee } from './peers/bee-queue.js';
import { runWithCelery } from './peers/celery.js';
import { runWithBoss } from './peers/pg-boss.js';

export const about =
  'Tasks that do nothing, concurrency 20, one process: from the first that starts to the last. ' +
  'Celery works in two processes, one for each core, and stores results, as we do; bee-queue does not. pg-boss takes and ends batches of 100, and stores one output for each batch. ' +
  'TaskContext needs AsyncLocalStorage: the table also shows what that alone costs BullMQ, which depends on the version of Node.';

/** Tasks that one process runs at the same time, in the rows that say so. */
const MANY_AT_ONCE = 100;

const amount = { redis: 8_000, postgres: 2_000, embedded: 0, memory: 0 };

/** Stores all tasks while the queue is paused, then measures how fast they run. */
async function runAll(queue: Queue, total: number, counter: Counter, enqueue: () => Promise<unknown>): Promise<number> {
  await queue.pause();
  await enqueue();
  const rate = counter.expect(total);
  await queue.resume();
  return rate;
}

function contender(
  queue: Queue,
  place: Place,
  counter: Counter,
  enqueue: (count: number) => Promise<unknown>,
  close: () => Promise<void>,
): Contender {
  const total = amount[place.store];
  return { round: async () => ({ 'tasks/s': await runAll(queue, total, counter, () => enqueue(total)) }), close };
}

const jobs = (count: number) => Array.from({ length: count }, () => ({ name: 'Mails.send', data: PAYLOAD }));

/** This package with one task, which `define` declares. */
function taskQueue(define: (counter: Counter) => Type, options: TaskQueueOptions = {}): StartContender {
  return async (place, concurrency) => {
    const counter = new Counter();
    const { app, queue } = await appAt(
      place,
      { ...options, queues: { default: { concurrency: concurrency || CONCURRENCY } } },
      { providers: [define(counter)] },
    );
    const send = queue.of<(mail: Payload) => void>('Mails.send');
    const enqueue = (count: number) => send.enqueueMany(Array.from({ length: count }, (): [Payload] => [PAYLOAD]));
    return contender(app.get<Queue>(getQueueToken('default')), place, counter, enqueue, () => app.close());
  };
}

/** BullMQ's worker with a function as its processor. */
function bareWorker(around: (body: () => Promise<void>) => Promise<void>): StartContender {
  return async (place, concurrency) => {
    const { Queue, Worker, options } = bullmqAt(place);
    const counter = new Counter();
    const queue = new Queue('default', options);
    const work = () => around(async () => counter.next());
    const worker = new Worker('default', work, { ...options, concurrency: concurrency || CONCURRENCY });
    await worker.waitUntilReady();
    return contender(
      queue,
      place,
      counter,
      (count) => queue.addBulk(jobs(count)),
      async () => {
        await worker.close();
        await queue.close();
      },
    );
  };
}

function plainTask(counter: Counter): Type {
  class Mails {
    @Task('Mails.send')
    async send(_mail: Payload): Promise<void> {
      counter.next();
    }
  }
  return Mails;
}

export const contenders: Contenders = {
  'BullMQ Worker': bareWorker((body) => body()),
  'BullMQ Worker in an AsyncLocalStorage': bareWorker(inStorage),

  async '@Processor'(place) {
    const counter = new Counter();
    @Processor('default', { concurrency: CONCURRENCY })
    class Mails extends WorkerHost {
      async process(_job: Job): Promise<void> {
        counter.next();
      }
    }
    @Module({
      imports: [BullModule.forRoot(bullmqAt(place).options), BullModule.registerQueue({ name: 'default' })],
      providers: [Mails],
    })
    class App {}
    const app = await NestFactory.createApplicationContext(App, { logger: ['error', 'warn'] });
    const queue = app.get<Queue>(getQueueToken('default'));
    return contender(
      queue,
      place,
      counter,
      (count) => queue.addBulk(jobs(count)),
      () => app.close(),
    );
  },

  '@Task': taskQueue(plainTask),

  // What the worker keeps of attempts costs only a task that fails, and its record among the workers is written every ten seconds.
  '@Task without statistics': taskQueue(plainTask, { stats: false }),

  '@Task with enhancers': taskQueue((counter) => {
    @Injectable()
    class Guard implements CanActivate {
      canActivate = () => true;
    }
    @Injectable()
    class Interceptor implements NestInterceptor {
      intercept = (_context: unknown, next: CallHandler) => next.handle();
    }
    @Injectable()
    class Pipe implements PipeTransform {
      transform = (value: unknown) => value;
    }
    class Mails {
      @Task('Mails.send')
      @UseGuards(Guard)
      @UseInterceptors(Interceptor)
      @UsePipes(Pipe)
      async send(_mail: Payload): Promise<void> {
        counter.next();
      }
    }
    return Mails;
  }),

  'bee-queue': runWithBee(amount.redis),
  'pg-boss': runWithBoss(amount.postgres),
  Celery: runWithCelery(3_000),
};

export async function run(course: Course): Promise<Row[]> {
  const against = (what: string, store: 'redis' | 'postgres', peer: string, rivals: readonly Entry[], variant = 0) =>
    compare(course, {
      what,
      store,
      peer: { name: peer, variant },
      rivals: rivals.map((rival) => ({ ...rival, variant })),
    });
  const plain = (target?: Target): Entry => ({ name: '@Task', ...(target && { target }) });
  const worker: Entry[] = [
    plain({ atLeast: 0.95 }),
    { name: '@Task with enhancers', target: { atLeast: 0.8 } },
    { name: 'BullMQ Worker in an AsyncLocalStorage' },
  ];
  return [
    ...(await against('Redis', 'redis', 'BullMQ Worker', worker)),
    ...(await against('Redis, as Nest has it', 'redis', '@Processor', [plain({ atLeast: 1 })])),
    ...(await against('Redis', 'redis', 'bee-queue', [plain()])),
    ...(await against('Redis', 'redis', 'Celery', [plain({ atLeast: 8 })])),
    ...(await against('Redis, statistics', 'redis', '@Task without statistics', [plain({ atLeast: 0.95 })])),
    ...(await against('PostgreSQL, statistics', 'postgres', '@Task without statistics', [plain({ atLeast: 0.95 })])),
    ...(await against('PostgreSQL', 'postgres', 'BullMQ Worker', [plain({ atLeast: 1.6 }), ...worker.slice(1)])),
    ...(await against(
      'PostgreSQL, concurrency 100',
      'postgres',
      'BullMQ Worker',
      [plain({ atLeast: 2.5 })],
      MANY_AT_ONCE,
    )),
    ...(await against('PostgreSQL, concurrency 100', 'postgres', 'pg-boss', [plain({ atLeast: 0.4 })], MANY_AT_ONCE)),
  ];
}
