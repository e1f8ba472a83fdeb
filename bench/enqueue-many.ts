import { randomBytes } from 'node:crypto';
import { getQueueToken } from '@nestjs/bullmq';
import type { JobsOptions, Queue } from 'bullmq';
import { compare, type Course, type Row } from './harness/compare.js';
import type { Contenders, StartContender } from './harness/contender.js';
import { perSecond } from './harness/figures.js';
import { PAYLOAD, type Payload } from './harness/workload.js';
import { appAt, bullmqAt } from './peers/apps.js';

export const about =
  '10,000 tasks in one call, with a small object as argument. ' +
  'Ids that cannot be guessed are longer than the numbers that BullMQ counts up: the table also shows what ids of 128 random bits alone cost BullMQ.';

const AMOUNT = 10_000;

/** BullMQ's `addBulk`. `opts` returns the options of each job. */
function addBulk(opts: () => JobsOptions): StartContender {
  return async (place) => {
    const { Queue, options } = bullmqAt(place);
    const queue = new Queue('default', options);
    await queue.waitUntilReady();
    return {
      async round() {
        const jobs = Array.from({ length: AMOUNT }, () => ({ name: 'Mails.send', data: PAYLOAD, opts: opts() }));
        const start = performance.now();
        await queue.addBulk(jobs);
        const rate = perSecond(AMOUNT, start);
        await queue.drain();
        return { 'tasks/s': rate };
      },
      close: () => queue.close(),
    };
  };
}

export const contenders: Contenders = {
  addBulk: addBulk(() => ({})),
  'addBulk with random ids': addBulk(() => ({ jobId: `default.${randomBytes(16).toString('base64url')}` })),

  async enqueueMany(place) {
    const { app, queue } = await appAt(place, { role: 'producer' });
    const send = queue.of<(mail: Payload) => void>('Mails.send');
    return {
      async round() {
        const calls = Array.from({ length: AMOUNT }, (): [Payload] => [PAYLOAD]);
        const start = performance.now();
        await send.enqueueMany(calls);
        const rate = perSecond(AMOUNT, start);
        await app.get<Queue>(getQueueToken('default')).drain();
        return { 'tasks/s': rate };
      },
      close: () => app.close(),
    };
  },
};

export async function run(course: Course): Promise<Row[]> {
  const match = {
    peer: { name: 'addBulk' },
    rivals: [{ name: 'enqueueMany', target: { atLeast: 0.9 } }, { name: 'addBulk with random ids' }],
  };
  const onPostgres = [{ name: 'enqueueMany', target: { atLeast: 1 } }, ...match.rivals.slice(1)];
  return [
    ...(await compare(course, { what: 'Redis', store: 'redis', ...match })),
    ...(await compare(course, { what: 'PostgreSQL', store: 'postgres', ...match, rivals: onPostgres })),
  ];
}
