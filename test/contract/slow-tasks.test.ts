import { afterEach, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { LogLines } from '../support/log-lines.js';
import { until } from '../support/until.js';

@Injectable()
class Work {
  readonly gate = new Gate();

  @Task({ slow: 20 })
  async wait(): Promise<void> {
    await this.gate.opened;
  }

  @Task({ slow: 20 })
  block(): void {
    const end = performance.now() + 40;
    while (performance.now() < end) {
      // No timer can fire.
    }
  }

  @Task({ slow: '1h' })
  quick(): void {}

  /** Blocks the event loop past its timeout, and then returns. */
  @Task({ timeout: 50 })
  compute(): string {
    const end = performance.now() + 400;
    while (performance.now() < end) {
      // No timer can fire.
    }
    return 'too late';
  }
}

describeEachEngine('@Task({ slow })', (engine) => {
  let booted: Booted;
  afterEach(() => booted.app.close());

  it('warns once of a run that takes longer, while it runs', async () => {
    const log = new LogLines();
    booted = await boot(await engine.place(), [Work], log);
    const work = booted.queue.of(Work);
    const ofTask = (id: string) => log.lines.filter((line) => line.includes(id));
    const [waiting, blocking] = [await work.wait.enqueue(), await work.block.enqueue()];
    await until(() => ofTask(waiting.id).length > 0);
    expect((await waiting.status()).state).toBe('running');
    await blocking.result({ timeout: '20s' });
    const quick = await work.quick.enqueue();
    await quick.result({ timeout: '20s' });
    booted.app.get(Work).gate.open();
    await waiting.result({ timeout: '20s' });
    expect(ofTask(waiting.id)).toEqual([
      expect.stringMatching(
        /^WARN Task Work\.wait \(.+\) is slow: attempt 1 has taken \d+ ms so far \(slow: 20 ms\)\.$/,
      ),
    ]);
    expect(ofTask(blocking.id)).toEqual([
      expect.stringMatching(/^WARN Task Work\.block \(.+\) is slow: attempt 1 has/),
    ]);
    expect(ofTask(quick.id)).toEqual([]);
  });
});

describeEachEngine('a method that blocks past its timeout', (engine) => {
  let booted: Booted;
  afterEach(() => booted.app.close());

  it('ends as a timeout, never as succeeded, with one line that names the cure', async () => {
    const log = new LogLines();
    booted = await boot(await engine.place(), [Work], log);
    const work = booted.queue.of(Work);
    const computing = await work.compute.enqueue();
    await expect(computing.result({ timeout: '20s' })).rejects.toMatchObject({ cause: { code: 'TASK_TIMEOUT' } });
    expect((await computing.status()).state).toBe('failed');
    const lines = log.lines.filter((line) => line.includes('because of its timeout of 50 ms'));
    expect(lines).toEqual([
      expect.stringMatching(
        /^WARN Task Work\.compute .* ends after \d+ ms .*await.*isolation: @Task\(\{ isolate: true \}\)/,
      ),
    ]);
  });
});
