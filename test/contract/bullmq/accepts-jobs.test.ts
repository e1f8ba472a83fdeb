import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { getQueueToken } from '@nestjs/bullmq';
import { Injectable } from '@nestjs/common';
import { FlowProducer, QueueEvents, type Job, type Queue } from 'bullmq';
import { ConfigurationError, Task, TaskContext } from 'nestjs-task-queue';
import { boot, type Booted } from '../../support/boot.js';
import { describeEachDatabase } from '../../support/engines.js';
import { startRedis } from '../../support/servers.js';
import { until } from '../../support/until.js';

@Injectable()
class Mails {
  readonly seen: unknown[] = [];
  private hasFailed = false;

  constructor(private readonly task: TaskContext) {}

  @Task({ name: 'welcome', aliases: ['greet'], accepts: 'job' })
  async welcome(data: unknown): Promise<unknown> {
    this.seen.push(data);
    return data;
  }

  @Task({ name: 'flaky', accepts: 'job' })
  async flaky(data: { n: number }): Promise<number> {
    this.seen.push(this.task.attempt);
    if (this.hasFailed) return data.n;
    this.hasFailed = true;
    throw new Error('once');
  }

  @Task({ name: 'gather', accepts: 'job' })
  async gather(_data: unknown): Promise<string> {
    return this.task.id;
  }

  @Task('strict')
  async strict(_data: unknown): Promise<void> {}
}

/** Jobs that a producer of BullMQ stored before the application had tasks. The engine in memory has no such producers. */
describeEachDatabase('a task that accepts jobs of other producers', (engine) => {
  let booted: Booted;
  let queue: Queue;
  let mails: Mails;

  beforeAll(async () => {
    booted = await boot(await engine.place(), [Mails]);
    queue = booted.app.get<Queue>(getQueueToken('default'));
    mails = booted.app.get(Mails);
  });
  afterAll(() => booted.app.close());

  const endOf = async (id: string): Promise<{ state: string; returnvalue: unknown; failedReason: string }> => {
    const state = () => queue.getJobState(id);
    await until(async () => ['completed', 'failed'].includes(await state()), `job ${id} has ended`);
    const { returnvalue, failedReason } = (await queue.getJob(id)) as Job;
    return { state: await state(), returnvalue, failedReason };
  };
  const run = async (name: string, data: unknown, options = {}) =>
    endOf((await queue.add(name, data, options)).id as string);

  it.each([
    ['an object', { userId: 7 }],
    ['a list', [1, 2]],
    ['a text', 'ann@example.com'],
    ['fields that calls have, too', { note: 5, members: 'x', cancelled: true, v: 99 }],
    ['a list args, but no headers', { args: [1], of: 'another program' }],
    ['fields that calls have, with another type', { args: 'x', headers: 3 }],
  ])('the data is the argument: %s', async (_what, data) => {
    expect(await run('welcome', data)).toMatchObject({ state: 'completed', returnvalue: data });
  });

  it('a call of this package keeps its arguments', async () => {
    const handle = await booted.queue.of<(data: unknown) => unknown>('welcome').enqueue({ args: [1] });
    await expect(handle.result({ timeout: '10s' })).resolves.toEqual({ args: [1] });
  });

  it('delayed, repeating and retried jobs run, under the old name too', async () => {
    await run('greet', { userId: 1 }, { delay: 50 });
    expect(await run('flaky', { n: 5 }, { attempts: 2 })).toMatchObject({ state: 'completed', returnvalue: 5 });
    await queue.upsertJobScheduler('often', { every: 100 }, { name: 'welcome', data: { tick: true } });
    await until(() => mails.seen.filter((data) => JSON.stringify(data) === '{"tick":true}').length >= 2, 'two ticks');
    await queue.removeJobScheduler('often');
    expect(mails.seen).toEqual(expect.arrayContaining([{ userId: 1 }, 1, 2]));
  });

  it('a task that does not accept them fails them, and the error names the cure', async () => {
    const { state, failedReason } = await run('strict', { userId: 7 });
    expect(state).toBe('failed');
    expect(failedReason).toContain("accepts: 'job'");
  });
});

it('another value of accepts is refused at the start', async () => {
  @Injectable()
  class Wrong {
    @Task({ accepts: 'jobs' as 'job' })
    async run(): Promise<void> {}
  }
  await expect(boot({ connection: 'memory:' }, [Wrong])).rejects.toThrow(ConfigurationError);
});

it('the jobs of a flow of BullMQ run: the children first, then the job above them, which finds their results', async () => {
  const server = await startRedis();
  const { app } = await boot({ connection: server.url, prefix: 'bull' }, [Mails]);
  const flows = new FlowProducer({ connection: { url: server.url } });
  const events = new QueueEvents('default', { connection: { url: server.url } });
  await events.waitUntilReady();
  const child = (n: number) => ({ name: 'welcome', queueName: 'default', data: { n } });
  const { job } = await flows.add({ ...child(0), name: 'gather', children: [child(1), child(2)] });
  const id = (await job.waitUntilFinished(events, 10_000)) as string;
  const stored = await app.get<Queue>(getQueueToken('default')).getJob(id);
  expect(Object.values((await stored?.getChildrenValues()) ?? {})).toEqual(
    expect.arrayContaining([{ n: 1 }, { n: 2 }]),
  );
  await Promise.all([flows.close(), events.close(), app.close()]);
  await server.close();
});
