import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { chain, group, Task, TaskNotFoundError, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { until } from '../support/until.js';

@Injectable()
class Sums {
  gate = new Gate();

  @Task()
  async one(): Promise<number> {
    return 1;
  }

  @Task()
  async broken(): Promise<number> {
    throw new Error('broken');
  }

  @Task()
  async held(): Promise<number> {
    await this.gate.opened;
    return 2;
  }

  @Task()
  async increment(value: number): Promise<number> {
    await this.gate.opened;
    return value + 1;
  }
}

describeEachEngine('a workflow that outlives the results of its members', (engine) => {
  let booted: Booted;
  let sums: Tasks<Sums>;
  let provider: Sums;

  beforeAll(async () => {
    const results = { ttl: '2s', failedTtl: '2s' } as const;
    booted = await boot({ ...(await engine.place()), results }, [Sums]);
    sums = booted.queue.of(Sums);
    provider = booted.app.get(Sums);
  });
  afterAll(() => booted.app.close());

  /** Resolves once tasks that ended now would be swept. */
  async function sweptAfterNow(): Promise<void> {
    const other = await sums.one.enqueue();
    await other.result({ timeout: '15s' }).catch(() => undefined);
    const isGone = () =>
      booted.queue
        .handle(other.id)
        .status()
        .then(
          () => false,
          (error) => error instanceof TaskNotFoundError,
        );
    await until(isGone);
    // A sweep comes once a second.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
  }

  it('still has them: successes, and failures that a group collects', async () => {
    const collected = group([sums.broken.signature(), sums.one.signature(), sums.held.signature()], {
      onFailure: 'collect',
    });
    const [whole, chained] = [
      await collected.enqueue(),
      await chain(sums.one.signature(), sums.increment.signature().with({ delay: 5_000 })).enqueue(),
    ];
    const results = Promise.all([whole, chained].map((handle) => handle.result({ timeout: '20s' })));
    const [broken, one] = await whole.children();
    await until(
      async () => (await one?.status())?.state === 'succeeded' && (await broken?.status())?.state === 'failed',
    );
    await sweptAfterNow();
    await expect(one?.status()).resolves.toMatchObject({ state: 'succeeded' });
    await expect(one?.forget()).resolves.toBe(false);
    provider.gate.open();
    await expect(results).resolves.toEqual([
      [
        { ok: false, error: { name: 'Error', message: 'broken' } },
        { ok: true, value: 1 },
        { ok: true, value: 2 },
      ],
      2,
    ]);
  });
});
