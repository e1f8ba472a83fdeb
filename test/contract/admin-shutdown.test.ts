import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { InvalidArgumentsError, Task, TaskAdmin, WorkerNotFoundError } from 'nestjs-task-queue';
import type { Engine } from '../../lib/engine/engine.js';
import { ENGINE } from '../../lib/task-queue-tokens.js';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { until } from '../support/until.js';

let gate: Gate;
let starts: number;

@Injectable()
class Reports {
  @Task({ queue: 'reports' })
  async build(): Promise<number> {
    starts++;
    await gate.opened;
    return starts;
  }
}

describeEachEngine('TaskAdmin.shutdown()', (engine) => {
  let booted: Booted;
  let admin: TaskAdmin;

  beforeAll(async () => {
    [gate, starts] = [new Gate(), 0];
    booted = await boot(await engine.place(), [Reports]);
    admin = booted.app.get(TaskAdmin);
  });
  afterAll(() => booted.app.close());

  it('refuses unknown and lost workers, and wrong times, and does nothing then', async () => {
    await expect(admin.shutdown('nobody')).rejects.toThrow(WorkerNotFoundError);
    await expect(admin.shutdown('nobody')).rejects.toThrow(
      /"nobody" cannot be reached: there is no worker with this id/,
    );
    const [worker] = await admin.workers();
    await expect(admin.shutdown(worker?.id ?? '', { grace: -1 })).rejects.toThrow(InvalidArgumentsError);
    const { workers, now } = booted.app.get<Engine>(ENGINE);
    const [record] = await workers.list();
    // A worker that gave its last sign of life a minute ago: the store keeps the time of the call.
    const engineNow = Reflect.get(booted.app.get(ENGINE), 'now') as typeof now;
    Object.assign(booted.app.get(ENGINE), { now: () => engineNow.call(booted.app.get(ENGINE)) - 60_000 });
    await workers.publish({ ...(record as NonNullable<typeof record>), id: 'lost' });
    Reflect.deleteProperty(booted.app.get(ENGINE), 'now');
    await expect(admin.shutdown('lost')).rejects.toThrow(/"lost" cannot be reached: it is lost/);
    await workers.withdraw('lost');
  });

  it('stops a worker of a process that does not listen for SIGTERM, after its running task', async () => {
    const { build } = booted.queue.of(Reports);
    const running = await build.enqueue();
    await until(() => starts === 1);
    const [worker] = await admin.workers();
    await admin.shutdown(worker?.id ?? '', { grace: '1m', by: 'ada' });
    gate.open();
    expect(await running.result()).toBe(1);
    await until(async () => (await admin.workers()).length === 0);
    const next = await build.enqueue();
    expect((await next.status()).state).toBe('queued');
    await expect(admin.shutdown(worker?.id ?? '')).rejects.toThrow(WorkerNotFoundError);
  });
});
