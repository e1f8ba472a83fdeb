import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task, type Tasks } from 'nestjs-task-queue';
import { ChangePublisher } from '../../../lib/engine/bullmq/changes/change-publisher.js';
import { JobLookup } from '../../../lib/engine/bullmq/operations/job-lookup.js';
import { boot, type Booted } from '../../support/boot.js';
import { describeEachDatabase } from '../../support/engines.js';
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

describeEachDatabase('the message about a success', (engine) => {
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

  it('the watcher needs no look-up for a small result, and one look-up for a large result', async () => {
    for (const [value, lookUps] of [
      ...SMALL.map((small) => [small, 0] as const),
      ...LARGE.map((l) => [l, 1] as const),
    ]) {
      Echo.gate = new Gate();
      const watchArrives = observeWatches();
      const find = jest.spyOn(JobLookup.prototype, 'find');
      const endMessages = jest.spyOn(ChangePublisher.prototype, 'endMessages');
      const handle = await echo.give.enqueue(value);
      const result = handle.result({ timeout: '10s' });
      if (web !== worker) await watchArrives(handle.id);
      Echo.gate.open();
      expect(await result).toEqual(value);
      // Look-ups before the end of the task do not count. They happen on a slow machine.
      const found = await Promise.all(find.mock.results.map((call) => call.value as ReturnType<JobLookup['find']>));
      const ofResult = found.filter((one) => one?.record.id === handle.id && one.record.state === 'succeeded');
      // A process that runs the task itself has the result in memory, whatever its size.
      expect(ofResult).toHaveLength(web === worker ? 0 : lookUps);
      // On PostgreSQL, the statement that stores the end sends the message.
      const withEnd = endMessages.mock.results.flatMap((call) => call.value as unknown[]);
      expect(withEnd).toHaveLength(engine.name === 'postgres' ? 1 : 0);
      jest.restoreAllMocks();
    }
  });
});

/**
 * Observes the requests to watch tasks.
 *
 * @returns waits until the process that runs the task has received such a request
 */
function observeWatches(): (id: string) => Promise<void> {
  const gates = new Map<string, Gate>();
  const gate = (id: string) => gates.get(id) ?? gates.set(id, new Gate()).get(id)!;
  const receive = ChangePublisher.prototype.receive;
  jest.spyOn(ChangePublisher.prototype, 'receive').mockImplementation(function (this: ChangePublisher, request) {
    receive.call(this, request);
    if (request.type === 'watch') for (const id of request.ids) gate(id).open();
  });
  return (id) => gate(id).opened;
}
