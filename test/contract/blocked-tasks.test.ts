import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task, TaskAdmin, type BlockReason, type TaskHandle } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { until } from '../support/until.js';

@Injectable()
class Work {
  readonly gate = new Gate();

  @Task()
  async wait(): Promise<void> {
    await this.gate.opened;
  }

  @Task({ queue: 'limited' })
  limited(): void {}

  @Task({ queue: 'unserved' })
  unserved(): void {}
}

/** The answer for a queue is up to a second old. */
async function isBlockedBy(handle: TaskHandle, reason: BlockReason | null): Promise<void> {
  await until(async () => {
    const { state, blockedBy } = await handle.status();
    return state === 'queued' && blockedBy === reason;
  });
}

describeEachEngine('the reason why a task waits', (engine) => {
  let booted: Booted | undefined;
  afterAll(async () => {
    booted?.app.get(Work).gate.open();
    await booted?.app.close();
  });

  beforeAll(async () => {
    booted = await boot(
      {
        ...(await engine.place()),
        queues: { default: { concurrency: 1 }, limited: { rateLimit: { max: 1, per: '1h' } } },
        consume: ['default', 'limited'],
      },
      [Work],
    );
  });

  it('is a missing worker, the rate limit, nothing but other tasks, the global concurrency, or a pause', async () => {
    const { app, queue } = booted as Booted;
    const [work, admin] = [queue.of(Work), app.get(TaskAdmin)];
    await isBlockedBy(await work.unserved.enqueue(), 'no-worker');

    const [first, second] = [await work.limited.enqueue(), await work.limited.enqueue()];
    await first.result({ timeout: '20s' });
    await isBlockedBy(second, 'rate-limit');
    const { position, estimatedStart } = await second.status();
    expect(position).toBe(0);
    const left = Date.parse(estimatedStart as string) - Date.now();
    expect(left > 3_000_000 && left < 3_700_000).toBe(true);

    const running = await work.wait.enqueue();
    await until(async () => (await running.status()).state === 'running');
    await isBlockedBy(await work.wait.enqueue(), null);
    for (const handle of [first, running, await work.unserved.with({ delay: '1h' }).enqueue()])
      expect(await handle.status()).toMatchObject({ blockedBy: null, position: null, estimatedStart: null });

    const waiting = await work.wait.enqueue();
    await until(async () => (await waiting.status()).position === 1);
    await admin.setGlobalConcurrency('default', 1);
    await isBlockedBy(waiting, 'concurrency');
    await admin.pause('default');
    await isBlockedBy(waiting, 'paused');
  });
});
