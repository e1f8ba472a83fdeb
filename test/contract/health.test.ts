import { afterEach, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task, TaskAdmin, TaskSchedules, type TaskQueueOptions } from 'nestjs-task-queue';
import { describeEachEngine, type Place } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { startHealthApp, type HealthApp } from '../support/health-app.js';
import { until } from '../support/until.js';

describeEachEngine('health checks', (engine) => {
  let gate: Gate;

  @Injectable()
  class Mails {
    @Task({ queue: 'mail' })
    async send(): Promise<void> {
      await gate.opened;
    }
  }

  const open: HealthApp[] = [];
  async function start(place: Place, options: TaskQueueOptions = {}): Promise<HealthApp> {
    const started = await startHealthApp({ ...place, ...options }, [Mails]);
    open.push(started);
    return started;
  }
  /** An application that runs tasks, and one that only stores them; one process alone can open the embedded engine. */
  async function startBoth(): Promise<{ worker: HealthApp; web: HealthApp; stopWorker: () => Promise<void> }> {
    const place = await engine.place();
    const worker = await start(place, { queues: { mail: { concurrency: 1 } } });
    const web = engine.name === 'embedded' ? worker : await start(place, { role: 'producer' });
    return { worker, web, stopWorker: () => worker.app.close() };
  }
  afterEach(async () => {
    gate?.open();
    for (const { app } of open.splice(0)) await app.close();
  });

  it('engine() is up while the engine answers, and names the milliseconds', async () => {
    const { probe } = await start(await engine.place());
    const { status, key, detail } = await probe('engine');
    expect(detail).toEqual({ status: 'up', latency: expect.any(Number) });
    expect([status, key]).toEqual([200, 'tasks.engine']);
    await expect(probe('engine', { key: 'tasks' })).resolves.toMatchObject({ key: 'tasks' });
  });

  it('consuming() is up for the queues of this process, also while all places are taken or the queue is paused', async () => {
    gate = new Gate();
    const { worker } = await startBoth();
    const queues = { mail: 'up' };
    await expect(worker.probe('consuming', { queues: ['mail'] })).resolves.toMatchObject({
      status: 200,
      detail: { queues },
    });
    const handle = await worker.queue.of(Mails).send.enqueue();
    await until(async () => (await handle.status()).state === 'running');
    await expect(worker.probe('consuming', { within: 0, queues: ['mail'] })).resolves.toMatchObject({ status: 200 });
    gate.open();
    await handle.result();
    await worker.app.get(TaskAdmin).pause('mail');
    const paused = await worker.probe('consuming');
    expect(paused).toMatchObject({ status: 200, detail: { queues: { mail: 'up' } } });
  });

  it('consuming() is up in every process while a live worker takes from the queue', async () => {
    const { web, worker, stopWorker } = await startBoth();
    const mail = { queues: ['mail'] };
    await expect(web.probe('consuming', mail)).resolves.toMatchObject({ status: 200 });
    const missing = await web.probe('consuming', { queues: ['mail', 'reports'] });
    expect(missing).toMatchObject({
      status: 503,
      detail: { queues: { mail: 'up', reports: 'No live worker takes tasks from this queue.' } },
    });
    if (web === worker) return;
    await stopWorker();
    await expect(web.probe('consuming', mail)).resolves.toMatchObject({ status: 503 });
    // A process that consumes nothing by its role is not at fault.
    await expect(web.probe('consuming')).resolves.toMatchObject({ status: 200, detail: { queues: {} } });
  });

  it('backlog() compares the number and the age of the tasks that wait', async () => {
    gate = new Gate();
    const { web } = await startBoth();
    const enqueue = () => web.queue.of(Mails).send.enqueue();
    const first = await enqueue();
    await until(async () => (await first.status()).state === 'running');
    const none = await web.probe('backlog', { queue: 'mail', max: 0, maxAge: 0 });
    expect(none).toMatchObject({ status: 200, key: 'tasks.backlog.mail', detail: { queued: 0, oldestAge: 0 } });
    await enqueue();
    await web.queue.of(Mails).send.with({ delay: '1h' }).enqueue();
    await enqueue();
    await expect(web.probe('backlog', { queue: 'mail', max: 2 })).resolves.toMatchObject({ status: 200 });
    const many = await web.probe('backlog', { queue: 'mail', max: 1 });
    expect(many).toMatchObject({ status: 503, detail: { queued: 2, message: '2 tasks wait; at most 1 may.' } });
    await until(
      async () => (await web.probe('backlog', { queue: 'mail', maxAge: 20 })).status === 503,
      'a task is old',
    );
    await expect(web.probe('backlog', { queue: 'mail', maxAge: '1h' })).resolves.toMatchObject({ status: 200 });
  });

  it('schedules() is down while a run is late, and up again once it is enqueued', async () => {
    gate = new Gate();
    gate.open();
    const place = await engine.place();
    if (engine.name === 'embedded') {
      const { probe } = await start(place);
      return expect(probe('schedules')).resolves.toMatchObject({ status: 200, detail: { lag: 0 } });
    }
    const web = await start(place, { role: 'producer' });
    const schedules = web.app.get(TaskSchedules);
    await expect(web.probe('schedules')).resolves.toMatchObject({ status: 200, key: 'tasks.schedules' });
    await schedules.upsert('often', { task: 'Mails.send', cron: '* * * * * *' } as never);
    const late = async () => (await web.probe('schedules', { maxLag: '1s' })).status === 503;
    await until(late, 'the run is late: no worker is there');
    await expect(web.probe('schedules', { maxLag: '1s' })).resolves.toMatchObject({ detail: { late: ['often'] } });
    const worker = await start(place);
    for (const { probe } of [worker, web])
      await until(async () => (await probe('schedules', { maxLag: '5s' })).status === 200, 'no run is late');
    await schedules.pause('often');
    await expect(web.probe('schedules')).resolves.toMatchObject({ status: 200, detail: { lag: 0 } });
  });

  it('a wrong option is an error of the caller', async () => {
    const { probe } = await start(await engine.place());
    await expect(probe('backlog', { queue: 'mail' })).resolves.toMatchObject({ status: 500 });
    await expect(probe('consuming', { within: 'soon' })).resolves.toMatchObject({ status: 500 });
    await expect(probe('schedules', { maxLag: -1 })).resolves.toMatchObject({ status: 500 });
    // A timer of Node would fire at once.
    await expect(probe('engine', { timeout: '25d' })).resolves.toMatchObject({ status: 500 });
  });
});
