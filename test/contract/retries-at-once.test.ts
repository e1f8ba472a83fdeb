import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { group, Task, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachDatabase } from '../support/engines.js';
import { Gate } from '../support/gate.js';

@Injectable()
class Work {
  static runs = 0;
  static gate = new Gate();

  @Task()
  async failing(): Promise<string> {
    Work.runs++;
    if (Work.runs === 1) throw new Error('the first time');
    await Work.gate.opened;
    return 'good';
  }

  @Task()
  async echo(text: string): Promise<string> {
    return text;
  }
}

describeEachDatabase('callers who retry a task at the same time', (engine) => {
  let booted: Booted;
  /** Another process of the application. */
  let other: Booted;
  let work: Tasks<Work>;

  beforeAll(async () => {
    const place = await engine.place();
    booted = await boot(place, [Work]);
    other = engine.name === 'embedded' ? booted : await boot({ ...place, role: 'producer' }, [Work]);
    work = booted.queue.of(Work);
  });
  afterAll(async () => {
    if (other !== booted) await other.app.close();
    await booted.app.close();
  });

  it.each([
    ['a task', () => work.failing.enqueue()],
    ['a workflow', () => group([work.failing.signature(), work.echo.signature('other')]).enqueue()],
  ])(
    'run %s once, and none of them gets an error',
    async (_, enqueue) => {
      for (let round = 0; round < 5; round++) {
        Object.assign(Work, { runs: 0, gate: new Gate() });
        const handle = await enqueue();
        await expect(handle.result({ timeout: '10s' })).rejects.toThrow('the first time');
        const handles = Array.from({ length: 10 }, (__, n) => (n % 2 ? booted : other).queue.handle(handle.id));
        const states = (await Promise.all(handles.map((one) => one.retry()))).map(({ state }) => state);
        expect(['queued', 'running', 'waiting']).toEqual(expect.arrayContaining(states));
        Work.gate.open();
        await expect(handle.result({ timeout: '10s' })).resolves.toBeDefined();
        expect(Work.runs).toBe(2);
      }
    },
    60_000,
  );
});
