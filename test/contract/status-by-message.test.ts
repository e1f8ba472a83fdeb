import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task, TaskContext, type TaskHandle, type TaskStatus, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { Gate } from '../support/gate.js';

@Injectable()
class Echo {
  static gate = new Gate();

  constructor(private readonly task: TaskContext) {}

  @Task({ retries: 2, backoff: { type: 'fixed', delay: 1 } })
  async give(...values: unknown[]): Promise<unknown> {
    await Echo.gate.opened;
    await this.task.progress(3, 4, 'nearly');
    if (this.task.attempt === 1) throw new Error('again');
    return values[0];
  }
}

const SMALL = [undefined, null, 0, -1.5, false, '', 'ä "quoted"\n\u2028 \\/ 🐘', [], {}, { a: [1, { b: null }] }, 9e15];

/** The message about a success carries the stored fields of the task, so that a watcher needs no look-up. */
describeEachEngine('the status of a succeeded task', (engine) => {
  let web: Booted;
  let worker: Booted;
  let echo: Tasks<Echo>;

  beforeAll(async () => {
    const options = await engine.place();
    const alone = engine.name === 'embedded';
    worker = await boot(options, [Echo]);
    web = alone ? worker : await boot({ ...options, role: 'producer' });
    echo = { give: web.queue.of<Echo['give']>('Echo.give') };
  });
  afterAll(() => Promise.all([web.app.close(), worker.app.close()]));

  it.each(SMALL)('the status from the message equals the status from a look-up, with the result %j', async (value) => {
    Echo.gate = new Gate();
    const handle = await echo.give.with({ headers: { tenant: 'ö' } }).enqueue(...argumentsFor(value));
    const fromMessage = lastOf(handle);
    Echo.gate.open();
    const status = await fromMessage;
    expect(status).toMatchObject({ state: 'succeeded', attempt: 2, progress: { current: 3 }, result: value ?? null });
    expect(status).toEqual(await handle.status());
  });
});

/** JSON has no `undefined`, so the task gets no argument instead. */
function argumentsFor(value: unknown): unknown[] {
  return value === undefined ? [] : [value];
}

async function lastOf(handle: TaskHandle): Promise<TaskStatus | undefined> {
  let last: TaskStatus | undefined;
  for await (const status of handle.updates()) last = status;
  return last;
}
