import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import type { IQueueBackend, Worker } from 'bullmq';
import { Task, type Tasks } from 'nestjs-task-queue';
import { ENGINE } from '../../../lib/task-queue-tokens.js';
import { boot, type Booted } from '../../support/boot.js';
import { describeEachDatabase } from '../../support/engines.js';
import { Gate } from '../../support/gate.js';
import { until } from '../../support/until.js';

@Injectable()
class Sums {
  @Task()
  async add(a: number, b: number): Promise<number> {
    return a + b;
  }
}

/** Delays the requests of workers for a job (`moveToActive`). */
class JobRequests {
  /** Whether the last answered request got no job. */
  lastGotNone = false;
  /** The number of requests that wait for the gate: all requests after one that got a job. */
  delayed = 0;
  private gate: Gate | undefined;
  private jobFound = false;

  delayAllAfterNextJob(): void {
    this.gate = new Gate();
    this.jobFound = false;
    this.delayed = 0;
  }

  release(): void {
    this.gate?.open();
    this.gate = undefined;
  }

  /** @param backend of a worker, with all changes of this package */
  delay(backend: IQueueBackend): void {
    const { moveToActive } = backend;
    backend.moveToActive = async (...args) => {
      if (this.gate && this.jobFound) {
        this.delayed++;
        await this.gate.opened;
      }
      const answered = await moveToActive.apply(backend, args);
      this.lastGotNone = !answered[0];
      if (this.gate && answered[0]) this.jobFound = true;
      return answered;
    };
  }
}

describeEachDatabase('an idle worker', (engine) => {
  const requests = new JobRequests();
  let worker: Booted;
  let backend: IQueueBackend;
  let sums: Tasks<Sums>;

  beforeAll(async () => {
    worker = await boot({ ...(await engine.place()), queues: { default: { concurrency: 10 } } }, [Sums]);
    const { consumers } = worker.app.get<{ consumers: Map<string, { worker: Worker }> }>(ENGINE);
    backend = (consumers.get('default') as { worker: Worker }).worker.getBackend();
    requests.delay(backend);
    sums = worker.queue.of(Sums);
    // The first request of the worker may be under way.
    await (await sums.add.enqueue(0, 0)).result({ timeout: '10s' });
    await until(() => requests.lastGotNone, 'a request gets no task');
  });
  afterAll(async () => {
    requests.release();
    await worker.app.close();
  });

  it('the worker asks for a task at least every ten seconds, also when it knows a delayed one', () => {
    expect(backend.maximumBlockTimeout).toBeGreaterThan(0);
    expect(backend.maximumBlockTimeout).toBeLessThanOrEqual(10);
  });

  // Repeated, because it depends on the earlier runs whether BullMQ's main loop waits for that answer.
  it.each([1, 2, 3, 4, 5])(
    'the worker starts a task before it knows whether there are more tasks (run %i)',
    async () => {
      requests.delayAllAfterNextJob();
      const first = await sums.add.enqueue(1, 2);
      expect(await first.result({ timeout: '10s' })).toBe(3);
      await until(() => requests.delayed > 0, 'the worker asks for further tasks');
      const others = await sums.add.enqueueMany([
        [3, 4],
        [5, 6],
      ]);
      requests.release();
      expect(await Promise.all(others.map((task) => task.result({ timeout: '10s' })))).toEqual([7, 11]);
      await until(() => requests.lastGotNone, 'a request gets no task');
    },
  );
});
