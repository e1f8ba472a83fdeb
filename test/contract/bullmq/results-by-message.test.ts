import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task, type Tasks } from 'nestjs-task-queue';
import { ChangePublisher } from '../../../lib/engine/bullmq/changes/change-publisher.js';
import { JobLookup } from '../../../lib/engine/bullmq/operations/job-lookup.js';
import { boot, type Booted } from '../../support/boot.js';
import { describeEachEngine } from '../../support/engines.js';
import { Gate } from '../../support/gate.js';

@Injectable()
class Echo {
  static gate = new Gate();

  @Task()
  async give(...values: unknown[]): Promise<unknown> {
    await Echo.gate.opened;
    return values[0];
  }
}

const SMALL = [null, 0, false, '', 'ä "quoted"\n\u2028 \\/ 🐘', { a: [1, { b: null }] }];
const LARGE = ['x'.repeat(20_000), 'ä'.repeat(5_000)];

describeEachEngine('a success that is told by a message', (engine) => {
  let web: Booted;
  let worker: Booted;
  let echo: Tasks<Echo>;

  beforeAll(async () => {
    const options = await engine.place();
    worker = await boot(options, [Echo]);
    web = engine.name === 'embedded' ? worker : await boot({ ...options, role: 'producer' });
    echo = { give: web.queue.of<Echo['give']>('Echo.give') };
  });
  afterAll(() => Promise.all([web.app.close(), worker.app.close()]));
  afterEach(() => void jest.restoreAllMocks());

  it('needs no look-up when the result is small, and one when it is large', async () => {
    for (const [value, looks] of [...SMALL.map((small) => [small, 0] as const), ...LARGE.map((l) => [l, 1] as const)]) {
      Echo.gate = new Gate();
      const known = becomesKnown();
      const find = jest.spyOn(JobLookup.prototype, 'find');
      const handle = await echo.give.enqueue(value);
      const result = handle.result({ timeout: '10s' });
      if (web !== worker) await known(handle.id);
      Echo.gate.open();
      expect(await result).toEqual(value);
      // Look-ups before the end, which happen on a slow machine, do not count.
      const found = await Promise.all(find.mock.results.map((call) => call.value as ReturnType<JobLookup['find']>));
      const ends = found.filter((one) => one?.record.id === handle.id && one.record.state === 'succeeded');
      // A process that also runs the task has the result in its memory, however large it is.
      expect(ends).toHaveLength(web === worker ? 0 : looks);
      jest.restoreAllMocks();
    }
  });
});

/** Resolves once the process that runs the task knows that another process watches it. */
function becomesKnown(): (id: string) => Promise<void> {
  const known = new Map<string, Gate>();
  const gate = (id: string) => known.get(id) ?? known.set(id, new Gate()).get(id)!;
  const receive = ChangePublisher.prototype.receive;
  jest.spyOn(ChangePublisher.prototype, 'receive').mockImplementation(function (this: ChangePublisher, request) {
    receive.call(this, request);
    if (request.type === 'watch') for (const id of request.ids) gate(id).open();
  });
  return (id) => gate(id).opened;
}
