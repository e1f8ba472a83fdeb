import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { Task, TaskAdmin, type Tasks } from 'nestjs-task-queue';
import type { Engine } from '../../../lib/engine/engine.js';
import { ENGINE } from '../../../lib/task-queue-tokens.js';
import { boot, type Booted } from '../../support/boot.js';
import { describeEachDatabase } from '../../support/engines.js';
import { Gate } from '../../support/gate.js';

@Injectable()
class Work {
  runs = 0;
  started = new Gate();
  gate = new Gate();

  @Task()
  async held(): Promise<string> {
    this.runs++;
    this.started.open();
    await this.gate.opened;
    return 'held';
  }

  @Task()
  async echo(text: string): Promise<string> {
    return text;
  }
}

/** What another program stored where BullMQ expects numbers. */
const FORGED: readonly Readonly<Record<string, string>>[] = [
  { concurrency: 'abc' },
  { concurrency: '99999999999999999999' },
  { max: 'abc', duration: '1000' },
  { max: '1', duration: 'abc' },
  { max: '1', duration: '99999999999999999999' },
  { 'opts.maxLenEvents': 'abc' },
];

describeEachDatabase('settings of a queue that are no numbers', (engine) => {
  let booted: Booted;
  let tasks: Tasks<Work>;
  let work: Work;

  beforeAll(async () => {
    booted = await boot({ ...(await engine.place()), queues: { default: { concurrency: 2 } } }, [Work]);
    tasks = booted.queue.of(Work);
    work = booted.app.get(Work);
  });
  afterAll(() => booted.app.close());

  it.each(FORGED)('%j keep no task from being enqueued, run and ended', async (settings) => {
    Object.assign(work, { runs: 0, started: new Gate(), gate: new Gate() });
    const held = await tasks.held.enqueue();
    await work.started.opened;
    const native = booted.app.get<Engine>(ENGINE).native('default') as Queue;
    await native.getBackend().setQueueMeta(settings);
    work.gate.open();
    await expect(held.result({ timeout: '10s' })).resolves.toBe('held');
    await expect((await tasks.echo.enqueue('next')).result({ timeout: '10s' })).resolves.toBe('next');
    expect(work.runs).toBe(1);
    const [queue] = await booted.app.get(TaskAdmin).queues();
    expect(queue).toMatchObject({ name: 'default', counts: { queued: 0, running: 0 } });
  });
});
