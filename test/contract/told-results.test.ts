import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task, TaskContext, type TaskHandle, type TaskStatus, type Tasks } from 'nestjs-task-queue';
import { Interests } from '../../lib/engine/bullmq/changes/interests.js';
import { StoredTasks } from '../../lib/engine/bullmq/operations/job-lookup.js';
import { boot, Gate, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';

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
const LARGE = ['x'.repeat(20_000), 'ä'.repeat(5_000)];

/** Who waits is told of a success with what is stored of it, and does not have to look. */
describeEachEngine('results as they are told', (engine) => {
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
  afterEach(() => void jest.restoreAllMocks());

  it.each(SMALL)('%j: the same as whoever looks it up finds', async (value) => {
    Echo.gate = new Gate();
    const handle = await echo.give.with({ headers: { tenant: 'ö' } }).enqueue(...argumentsFor(value));
    const told = lastOf(handle);
    Echo.gate.open();
    const status = await told;
    expect(status).toMatchObject({ state: 'succeeded', attempt: 2, progress: { current: 3 }, result: value ?? null });
    expect(status).toEqual(await handle.status());
  });

  it('nobody looks a small one up, and whoever waits for a large one does', async () => {
    for (const [value, looks] of [...SMALL.map((small) => [small, 0] as const), ...LARGE.map((l) => [l, 1] as const)]) {
      Echo.gate = new Gate();
      const known = becomesKnown();
      const look = jest.spyOn(StoredTasks.prototype, 'look');
      const handle = await echo.give.enqueue(...argumentsFor(value));
      const result = handle.result({ timeout: '10s' });
      if (web !== worker) await known(handle.id);
      Echo.gate.open();
      expect(await result).toEqual(value ?? null);
      // Looks before it ended, which a slow machine may take, do not count.
      const found = await Promise.all(look.mock.results.map((call) => call.value as ReturnType<StoredTasks['look']>));
      const ends = found.filter((one) => one?.record.id === handle.id && one.record.state === 'succeeded');
      // One process that does both has it in its memory, however large it is.
      expect(ends).toHaveLength(web === worker ? 0 : looks);
      jest.restoreAllMocks();
    }
  });
});

/** JSON has nothing for `undefined`. */
function argumentsFor(value: unknown): unknown[] {
  return value === undefined ? [] : [value];
}

async function lastOf(handle: TaskHandle): Promise<TaskStatus | undefined> {
  let last: TaskStatus | undefined;
  for await (const status of handle.updates()) last = status;
  return last;
}

/** Resolves once the process that runs the task knows that somebody waits for it. */
function becomesKnown(): (id: string) => Promise<void> {
  const known = new Map<string, Gate>();
  const gate = (id: string) => known.get(id) ?? known.set(id, new Gate()).get(id)!;
  const remember = Interests.prototype.remember;
  jest.spyOn(Interests.prototype, 'remember').mockImplementation(function (this: Interests, ...args) {
    remember.apply(this, args);
    gate(args[0]).open();
  });
  return (id) => gate(id).opened;
}
