import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { getQueueToken } from '@nestjs/bullmq';
import { Injectable } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { Task, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../../support/boot.js';
import { describeEachDatabase } from '../../support/engines.js';

@Injectable()
class Work {
  @Task()
  succeed(): void {}

  @Task()
  fail(): void {
    throw new Error('no');
  }
}

describeEachDatabase('the metrics of the queue that @InjectQueue() injects', (engine) => {
  let booted: Booted;
  let work: Tasks<Work>;
  let queue: Queue;

  beforeAll(async () => {
    booted = await boot({ ...(await engine.place()), queues: { unused: {} } }, [Work]);
    work = booted.queue.of(Work);
    queue = booted.app.get<Queue>(getQueueToken('default'));
    const handles = [...(await work.succeed.enqueueMany([[], [], []])), await work.fail.enqueue()];
    await Promise.all(handles.map((handle) => handle.result().catch(() => undefined)));
  });
  afterAll(() => booted.app.close());

  it.each([
    ['completed', 3],
    ['failed', 1],
  ] as const)('%s has the total, and the minutes of two hours, the last one first', async (type, count) => {
    const { meta, data, count: points } = await queue.getMetrics(type);
    expect(meta.count).toBe(count);
    expect(points).toBe(120);
    expect(data.slice(0, 2).reduce((sum, point) => sum + point, 0)).toBe(count);
    expect(data.slice(2)).toEqual(Array.from({ length: 118 }, () => 0));
    expect((await queue.getMetrics(type, 118, 119)).data).toEqual([0, 0]);
    expect((await queue.getMetrics(type, 0, 1)).data).toHaveLength(2);
  });

  it('the Prometheus export has the totals', async () => {
    const text = await queue.exportPrometheusMetrics();
    expect(text).toContain('bullmq_job_completed_total{queue="default"} 3');
    expect(text).toContain('bullmq_job_failed_total{queue="default"} 1');
  });

  it('a queue without tasks has none', async () => {
    const unused = booted.app.get<Queue>(getQueueToken('unused'));
    expect((await unused.getMetrics('completed')).meta.count).toBe(0);
  });
});
