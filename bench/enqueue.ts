import { getQueueToken } from '@nestjs/bullmq';
import type { Queue } from 'bullmq';
import { compare, type Course, type Row } from './harness/compare.js';
import type { Contenders } from './harness/contender.js';
import { enqueueByMany, PAYLOAD, type Payload } from './harness/workload.js';
import { appAt, bullmqAt } from './peers/apps.js';
import { enqueueWithBee } from './peers/bee-queue.js';
import { enqueueWithCelery } from './peers/celery.js';
import { enqueueWithBoss } from './peers/pg-boss.js';

export const about =
  '100 callers who each enqueue one task after the other, with a small object as argument, as web requests do. ' +
  'Celery has one caller, because a process of Celery can have no more.';

const amount = { redis: 40_000, postgres: 4_000, embedded: 0, memory: 0 };

export const contenders: Contenders = {
  async 'queue.add'(place) {
    const { Queue, options } = bullmqAt(place);
    const queue = new Queue('default', options);
    await queue.waitUntilReady();
    return {
      async round() {
        const rate = await enqueueByMany(amount[place.store], () => queue.add('Mails.send', PAYLOAD));
        await queue.drain();
        return { 'tasks/s': rate };
      },
      close: () => queue.close(),
    };
  },

  async enqueue(place) {
    const { app, queue } = await appAt(place, { role: 'producer' });
    const send = queue.of<(mail: Payload) => void>('Mails.send');
    return {
      async round() {
        const rate = await enqueueByMany(amount[place.store], () => send.enqueue(PAYLOAD));
        await app.get<Queue>(getQueueToken('default')).drain();
        return { 'tasks/s': rate };
      },
      close: () => app.close(),
    };
  },

  'bee-queue': enqueueWithBee(amount.redis),
  'pg-boss': enqueueWithBoss(amount.postgres),
  Celery: enqueueWithCelery(5_000),
};

export async function run(course: Course): Promise<Row[]> {
  const against = (what: string, store: 'redis' | 'postgres', peer: string, atLeast?: number) =>
    compare(course, {
      what,
      store,
      peer: { name: peer },
      rivals: [{ name: 'enqueue', ...(atLeast !== undefined && { target: { atLeast } }) }],
    });
  return [
    ...(await against('Redis', 'redis', 'queue.add', 1.1)),
    ...(await against('Redis', 'redis', 'bee-queue')),
    ...(await against('Redis', 'redis', 'Celery', 6)),
    ...(await against('PostgreSQL', 'postgres', 'queue.add', 4)),
    ...(await against('PostgreSQL', 'postgres', 'pg-boss')),
  ];
}
