import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { group, Task, TaskAdmin, type QueueInfo, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { until } from '../support/until.js';

@Injectable()
class Mails {
  gate = new Gate();
  started = new Gate();

  @Task({ queue: 'mail' })
  async send(): Promise<void> {}

  @Task({ queue: 'mail' })
  async bounce(): Promise<void> {
    throw new Error('no such address');
  }

  @Task({ queue: 'reports' })
  async build(): Promise<void> {
    this.started.open();
    await this.gate.opened;
  }
}

describeEachEngine('TaskAdmin.queues()', (engine) => {
  let booted: Booted;
  let mails: Tasks<Mails>;

  beforeAll(async () => {
    booted = await boot({ ...(await engine.place()), queues: { urgent: { priorities: true } } }, [Mails]);
    mails = booted.queue.of(Mails);
  });
  afterAll(async () => {
    booted.app.get(Mails).gate.open();
    await booted.app.close();
  });

  const queues = () => booted.app.get(TaskAdmin).queues();
  const queue = async (name: string) => (await queues()).find((info) => info.name === name) as QueueInfo;
  const none = { queued: 0, scheduled: 0, waiting: 0, running: 0, succeeded: 0, failed: 0 };

  it('shows the queues of live workers also when no task was ever in them', async () => {
    expect(await queues()).toMatchObject([
      {
        ...{ name: 'mail', paused: false, counts: none, oldestQueuedAt: null },
        ...{ workers: 1, tasks: ['Mails.bounce', 'Mails.send'] },
      },
      { name: 'reports', paused: false, counts: none, oldestQueuedAt: null, workers: 1, tasks: ['Mails.build'] },
    ]);
  });

  it('counts tasks exactly', async () => {
    const sent = await mails.send.enqueueMany([[], [], []]);
    await mails.send.with({ delay: '1h' }).enqueue();
    const bounced = await mails.bounce.enqueue();
    const whole = group([mails.build.signature(), mails.build.signature()]);
    await whole.enqueue();
    await booted.app.get(Mails).started.opened;
    await Promise.all([...sent, bounced].map((handle) => handle.result().catch(() => undefined)));
    await until(async () => (await queue('mail')).counts.running === 0);
    expect((await queue('mail')).counts).toMatchObject({ ...none, scheduled: 1, succeeded: 3, failed: 1 });
    expect((await queue('reports')).counts.running).toBeGreaterThan(0);
    expect((await queues()).map(({ name }) => name)).toEqual(['mail', 'reports']);
  });

  it('tells since when the first task waits, whatever its priority, and no worker takes it', async () => {
    const first = await mails.send.with({ queue: 'urgent', priority: 3 }).enqueue();
    const at = (await first.status()).enqueuedAt;
    await until(() => Date.now() > Date.parse(at) + 5);
    await mails.send.with({ queue: 'urgent', priority: 9 }).enqueue();
    await mails.send.with({ queue: 'idle' }).enqueue();
    const last = await mails.send.with({ queue: 'idle' }).enqueue();
    await last.cancel();
    expect(await queue('urgent')).toMatchObject({
      oldestQueuedAt: at,
      counts: { ...none, queued: 2 },
      workers: 0,
      tasks: [],
    });
    expect(await queue('idle')).toMatchObject({ workers: 0, tasks: [] });
    expect(Date.parse((await queue('idle')).oldestQueuedAt as string)).toBeGreaterThan(Date.parse(at));
  });

  it('shows a queue that has settings and was never used', async () => {
    const admin = booted.app.get(TaskAdmin);
    await admin.pause('later', { by: 'ada' });
    await admin.setGlobalConcurrency('slowly', 2, { by: 'ada' });
    expect((await queues()).map(({ name }) => name)).toEqual(expect.arrayContaining(['later', 'slowly']));
    await admin.resume('later');
  });
});
