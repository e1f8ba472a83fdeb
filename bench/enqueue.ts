import { getQueueToken } from '@nestjs/bullmq';
import type { Queue } from 'bullmq';
import { compare, type Course, type Row } from './harness/compare.js';
import type { Contenders } from './harness/contender.js';
import { appAt, bullmqAt, perSecond } from './harness/peers.js';

export const about =
  '100 callers who each enqueue one task after the other, with a small object as argument, as web requests do.';

const CALLERS = 100;
const payload = { userId: 17, template: 'welcome', locale: 'en' };

/** Tasks a second. */
async function enqueueByMany(total: number, enqueue: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await Promise.all(
    Array.from({ length: CALLERS }, async () => {
      for (let sent = 0; sent < total / CALLERS; sent++) await enqueue();
    }),
  );
  return perSecond(total, start);
}

const amount = { redis: 10_000, postgres: 4_000, embedded: 0 };

export const contenders: Contenders = {
  async 'queue.add'(place) {
    const { Queue, options } = bullmqAt(place);
    const queue = new Queue('default', options);
    await queue.waitUntilReady();
    return {
      async round() {
        const rate = await enqueueByMany(amount[place.store], () => queue.add('Mails.send', payload));
        await queue.drain();
        return { 'tasks/s': rate };
      },
      close: () => queue.close(),
    };
  },

  async enqueue(place) {
    const { app, queue } = await appAt(place, { role: 'producer' });
    const send = queue.of<(mail: typeof payload) => void>('Mails.send');
    return {
      async round() {
        const rate = await enqueueByMany(amount[place.store], () => send.enqueue(payload));
        await app.get<Queue>(getQueueToken('default')).drain();
        return { 'tasks/s': rate };
      },
      close: () => app.close(),
    };
  },
};

export async function run(course: Course): Promise<Row[]> {
  const peer = { name: 'queue.add' };
  return [
    ...(await compare(course, {
      what: 'Redis',
      store: 'redis',
      peer,
      rivals: [{ name: 'enqueue', target: { atLeast: 1.1 } }],
    })),
    ...(await compare(course, {
      what: 'PostgreSQL',
      store: 'postgres',
      peer,
      rivals: [{ name: 'enqueue', target: { atLeast: 4 } }],
    })),
  ];
}
