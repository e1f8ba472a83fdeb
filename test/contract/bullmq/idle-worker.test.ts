import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { getQueueToken } from '@nestjs/bullmq';
import { Injectable } from '@nestjs/common';
import type { IQueueBackend, Queue } from 'bullmq';
import { Task, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../../support/boot.js';
import { describeEachEngine } from '../../support/engines.js';
import { Gate } from '../../support/gate.js';
import { until } from '../../support/until.js';

@Injectable()
class Sums {
  @Task()
  async add(a: number, b: number): Promise<number> {
    return a + b;
  }
}

/** The questions of workers for a job. */
class Questions {
  /** Whether the last one that was answered got none. */
  lastWasInVain = false;
  /** Those that wait for the gate: all that come after one that got a job. */
  held = 0;
  private gate: Gate | undefined;
  private foundOne = false;

  holdAllAfterTheNextJob(): void {
    this.gate = new Gate();
    this.foundOne = false;
    this.held = 0;
  }

  release(): void {
    this.gate?.open();
    this.gate = undefined;
  }

  /** @param backend any of the kind whose questions are looked at */
  watch(backend: IQueueBackend): void {
    const kind = Object.getPrototypeOf(backend) as Pick<IQueueBackend, 'moveToActive'>;
    const { moveToActive } = kind;
    const answer = async (worker: IQueueBackend, args: Parameters<typeof moveToActive>) => {
      if (this.gate && this.foundOne) {
        this.held++;
        await this.gate.opened;
      }
      const answered = await moveToActive.apply(worker, args);
      this.lastWasInVain = !answered[0];
      if (this.gate && answered[0]) this.foundOne = true;
      return answered;
    };
    jest.spyOn(kind, 'moveToActive').mockImplementation(function (this: IQueueBackend, ...args) {
      return answer(this, args);
    });
  }
}

describeEachEngine('an idle worker', (engine) => {
  const questions = new Questions();
  let other: Booted;
  let worker: Booted;
  let sums: Tasks<Sums>;

  beforeAll(async () => {
    other = await boot({ ...(await engine.place()), role: 'producer' });
    questions.watch(other.app.get<Queue>(getQueueToken('default')).getBackend());
    worker = await boot({ ...(await engine.place()), queues: { default: { concurrency: 10 } } }, [Sums]);
    sums = worker.queue.of(Sums);
  });
  afterAll(async () => {
    questions.release();
    await Promise.all([other.app.close(), worker.app.close()]);
    jest.restoreAllMocks();
  });

  // Several times: whether BullMQ's main loop waits for that answer depends on what was before.
  it.each([1, 2, 3, 4, 5])('runs a task without waiting for the answer whether there are more (%i)', async () => {
    questions.holdAllAfterTheNextJob();
    const first = await sums.add.enqueue(1, 2);
    expect(await first.result({ timeout: '10s' })).toBe(3);
    await until(() => questions.held > 0);
    const others = await sums.add.enqueueMany([
      [3, 4],
      [5, 6],
    ]);
    questions.release();
    expect(await Promise.all(others.map((task) => task.result({ timeout: '10s' })))).toEqual([7, 11]);
    await until(() => questions.lastWasInVain);
  });
});
