import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { embeddedFixture, withPreparedDatabase } from '../../support/embedded.js';
import { bullmqOn } from '../../support/bullmq-on.js';

withPreparedDatabase();
const { open } = embeddedFixture();

async function start() {
  const { pool } = await open();
  const { Queue, Worker, QueueEvents, FlowProducer } = bullmqOn(pool);
  const connection = pool;
  const queue = new Queue('default', { connection });
  const events = new QueueEvents('default', { connection });
  const flows = new FlowProducer({ connection });
  const worker = new Worker(
    'default',
    async (job) => {
      if (job.name === 'fail' && job.attemptsMade === 0) throw new Error('once');
      await job.updateProgress(50);
      return { doubled: (job.data as { number: number }).number * 2, children: await job.getChildrenValues() };
    },
    { connection, concurrency: 5 },
  );
  const failures: Error[] = [];
  const emitters: NodeJS.EventEmitter[] = [queue, events, flows, worker];
  for (const emitter of emitters) emitter.on('error', (error: Error) => failures.push(error));
  await events.waitUntilReady();
  await untilEventsArrive(events, queue);
  const close = async () => {
    await worker.close();
    await events.close();
    await flows.close();
    await queue.close();
    expect(failures).toEqual([]);
  };
  return { queue, worker, events, flows, close };
}

/**
 * Resolves once `QueueEvents` receives events. That is some time after `waitUntilReady()`, and BullMQ does not report
 * when.
 */
async function untilEventsArrive(
  events: NodeJS.EventEmitter,
  queue: { pause(): Promise<void>; resume(): Promise<void> },
): Promise<void> {
  const received = once(events, 'resumed').then(() => true);
  do {
    await queue.pause();
    await queue.resume();
  } while (!(await Promise.race([received, turn(false)])));
}

describe("BullMQ on an embedded database's pool", () => {
  it('BullMQ runs plain, delayed, retried, deduplicated and bulk jobs, and flows', async () => {
    const { queue, events, flows, close } = await start();
    const result = async (job: { waitUntilFinished: (events: never, ttl: number) => Promise<unknown> }) =>
      await job.waitUntilFinished(events as never, 20_000);

    expect(await result(await queue.add('double', { number: 2 }))).toEqual({ doubled: 4, children: {} });
    expect(await result(await queue.add('double', { number: 3 }, { delay: 50 }))).toEqual({ doubled: 6, children: {} });
    const retried = await queue.add('fail', { number: 4 }, { attempts: 2, backoff: 10 });
    expect(await result(retried)).toEqual({ doubled: 8, children: {} });

    const options = { delay: 60_000, deduplication: { id: 'same' } };
    const [one, same] = [await queue.add('double', { number: 1 }, options), await queue.add('double', {}, options)];
    expect(same.id).toBe(one.id);

    const many = await queue.addBulk(Array.from({ length: 8 }, (_, number) => ({ name: 'double', data: { number } })));
    expect(await Promise.all(many.map(result))).toHaveLength(8);

    const child = { name: 'double', queueName: 'default', data: { number: 5 } };
    const flow = await flows.add({ name: 'double', queueName: 'default', data: { number: 6 }, children: [child] });
    expect(await result(flow.job)).toEqual({
      doubled: 12,
      children: { [`default:${flow.children![0]!.job.id}`]: { doubled: 10, children: {} } },
    });

    expect(await queue.getJobCounts('completed', 'delayed', 'failed')).toEqual({
      completed: 13,
      delayed: 1,
      failed: 0,
    });
    await close();
  });

  it('QueueEvents receives every event at once, also one between two reads', async () => {
    const { queue, events, close } = await start();
    const latencies: number[] = [];
    for (let number = 0; number < 30; number++) {
      const completed = once(events, 'completed');
      const before = performance.now();
      await queue.add('double', { number });
      await completed;
      latencies.push(performance.now() - before);
    }
    // BullMQ would notice a missed event only after its blocking timeout of ten seconds.
    expect(Math.max(...latencies)).toBeLessThan(2_000);
    await close();
  });
});
