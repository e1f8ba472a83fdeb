import { afterEach, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { chain, defineTask, group, Schedule, Task, TaskAdmin, TaskContext } from 'nestjs-task-queue';
import { METRIC_KEYS, METRICS, prometheusName } from '../../lib/metrics/metric-list.js';
import { describeEachEngine } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { startMetricsApp, type MetricsApp, type Scrape } from '../support/metrics-app.js';
import { until } from '../support/until.js';

describeEachEngine('metrics', (engine) => {
  let gate: Gate;

  @Injectable()
  class Mails {
    constructor(private readonly task: TaskContext) {}

    @Task({ queue: 'mail' })
    send(value: number): number {
      return value;
    }

    @Task({ queue: 'mail', retries: 2, backoff: { type: 'fixed', delay: 1, jitter: 0 } })
    failing(): void {
      throw new Error('smtp');
    }

    @Task({ queue: 'mail' })
    async slow(): Promise<void> {
      const aborted = new Promise((resolve) => this.task.signal.addEventListener('abort', resolve));
      await Promise.race([gate.opened, aborted]);
      this.task.signal.throwIfAborted();
    }

    @Schedule('@yearly', { id: 'yearly' })
    @Task({ queue: 'mail' })
    report(): void {}
  }

  const open: MetricsApp[] = [];
  async function start(...[options, rest = {}]: Parameters<typeof startMetricsApp>): Promise<MetricsApp> {
    const started = await startMetricsApp(options, { providers: [Mails], ...rest });
    open.push(started);
    return started;
  }
  afterEach(async () => {
    gate?.open();
    for (const { app } of open.splice(0)) await app.close();
  });

  const of = (task: string) => ({ queue: 'mail', task: `Mails.${task}` });
  const outcomes = (scrape: Scrape, task: string) =>
    Object.fromEntries(
      scrape
        .series('task_queue_outcomes_total')
        .filter(({ labels }) => labels['task'] === `Mails.${task}`)
        .map(({ labels, value }) => [labels['outcome'], value]),
    );

  it('count what was stored, run and ended, and name tasks but no ids', async () => {
    const { queue, scrape } = await start(await engine.place());
    const { send, failing } = queue.of(Mails);
    const handles = [...(await send.enqueueMany([[1], [2], [3]])), await send.enqueue(4), await failing.enqueue()];
    await Promise.allSettled(handles.map((handle) => handle.result()));
    await until(async () => {
      const counted = await scrape();
      return outcomes(counted, 'failing')['failed'] === 1 && outcomes(counted, 'send')['succeeded'] === 4;
    }, 'the ends are counted');
    const found = await scrape();
    expect(found.value('messaging_client_sent_messages_total', of('send'))).toBe(4);
    expect(found.value('messaging_client_consumed_messages_total', of('send'))).toBe(4);
    expect(found.value('messaging_client_consumed_messages_total', of('failing'))).toBe(3);
    expect(found.value('messaging_process_duration_seconds_count', of('send'))).toBe(4);
    expect(found.value('messaging_process_duration_seconds_count', of('failing'))).toBe(3);
    expect(found.value('task_queue_wait_duration_seconds_count', of('failing'))).toBe(1);
    expect(outcomes(found, 'send')).toEqual({ succeeded: 4 });
    expect(outcomes(found, 'failing')).toEqual({ retrying: 2, failed: 1 });
    expect(found.labelValues()).not.toContain(handles[0]?.id);
    for (const { id } of handles) expect(found.text).not.toContain(id);
    // Everything in the text is in the list, and has its help.
    const names = METRIC_KEYS.map((key) => prometheusName(METRICS[key]));
    expect(names).toEqual(expect.arrayContaining(found.names()));
  });

  it('count the tasks of workflows, and cancelled and expired ones', async () => {
    gate = new Gate();
    const { queue, scrape } = await start(await engine.place(), { providers: [Mails] });
    const { send, slow } = queue.of(Mails);
    await (await chain(send.signature(1), send.signature()).enqueue()).result();
    await (await group([send.signature(1), send.signature(2), send.signature(3)]).enqueue()).result();
    const running = await slow.enqueue();
    await until(async () => (await running.status()).state === 'running');
    await running.cancel();
    const scheduled = await slow.with({ delay: '1h' }).enqueue();
    await scheduled.cancel();
    await until(async () => outcomes(await scrape(), 'slow')['cancelled'] === 2, 'both cancels are counted');
    const found = await scrape();
    expect(found.value('messaging_client_sent_messages_total', of('send'))).toBe(5);
    expect(outcomes(found, 'send')).toEqual({ succeeded: 5 });
    expect(found.value('messaging_client_consumed_messages_total', of('slow'))).toBe(1);
  });

  it('show the queues: depth by state, oldest age, workers, pause, places and schedules', async () => {
    gate = new Gate();
    const { app, queue, scrape } = await start({ ...(await engine.place()), queues: { mail: { concurrency: 2 } } });
    const { slow } = queue.of(Mails);
    const [first] = await slow.enqueueMany([[], [], [], []]);
    await slow.with({ delay: '1h' }).enqueue();
    await until(async () => (await scrape()).value('task_queue_running', { queue: 'mail' }) === 2, 'two tasks run');
    const mail = { queue: 'mail' };
    const states = (found: Scrape) =>
      Object.fromEntries(
        found
          .series('task_queue_tasks')
          .filter(({ labels }) => labels['queue'] === 'mail')
          .map(({ labels, value }) => [labels['state'], value]),
      );
    await until(async () => states(await scrape())['running'] === 2, 'the store says so too');
    const found = await scrape();
    expect(states(found)).toEqual({ queued: 2, scheduled: 1, waiting: 0, running: 2, succeeded: 0, failed: 0 });
    expect(found.value('task_queue_capacity', mail)).toBe(2);
    expect(found.value('task_queue_oldest_age_seconds', mail)).toBeGreaterThan(0);
    expect(found.value('task_queue_workers', mail)).toBe(1);
    expect(found.value('task_queue_paused', mail)).toBe(0);
    expect(found.value('task_queue_schedule_lag_seconds', mail)).toBe(0);
    expect(found.value('task_queue_up')).toBe(1);
    await app.get(TaskAdmin).pause('mail');
    await until(async () => (await scrape()).value('task_queue_paused', mail) === 1, 'the queue is paused');
    gate.open();
    await first?.result();
  });

  it('a process that runs no tasks shows the same store, and counts what it sends', async () => {
    // One process alone can open the embedded engine.
    if (engine.name === 'embedded') return;
    const place = await engine.place();
    const worker = await start(place);
    const web = await start({ ...place, role: 'producer' }, { providers: [] });
    const handle = await web.queue
      .of(defineTask<(value: number) => Promise<number>>('Mails.send', { queue: 'mail' }))
      .enqueue(1);
    await handle.result();
    await until(async () => outcomes(await worker.scrape(), 'send')['succeeded'] === 1, 'the worker has counted it');
    const isShown = async ({ scrape }: MetricsApp) =>
      (await scrape()).value('task_queue_tasks', { queue: 'mail', state: 'succeeded' }) === 1;
    await until(async () => (await isShown(web)) && isShown(worker), 'both processes show the end');
    const [ofWeb, ofWorker] = await Promise.all([web.scrape(), worker.scrape()]);
    expect(ofWeb.value('messaging_client_sent_messages_total', of('send'))).toBe(1);
    expect(ofWorker.value('messaging_client_sent_messages_total', of('send'))).toBeUndefined();
    expect(outcomes(ofWeb, 'send')).toEqual({});
    for (const found of [ofWeb, ofWorker]) expect(found.value('task_queue_workers', { queue: 'mail' })).toBe(1);
    expect(ofWeb.value('task_queue_capacity')).toBeUndefined();
  });
});
