import { describe, expect, it, jest } from '@jest/globals';
import type { TaskRecord } from '../../../lib/engine/task.js';
import { TaskHandle } from '../../../lib/results/task-handle.js';
import { TaskResults } from '../../../lib/results/task-results.js';
import { FakeEngine } from '../../support/fake-engine.js';

/** Stores a group of three members that waits. */
function waitingGroup(engine: FakeEngine): string {
  return engine.add({ state: 'waiting', members: [{ queue: 'default', count: 3 }], note: { group: {} } });
}

/** An engine whose counts end only when the test ends them. */
class SlowCounter extends FakeEngine {
  readonly pending: ((count: number) => void)[] = [];

  override countEndedMembers(): Promise<number> {
    this.counts++;
    return new Promise((resolve) => this.pending.push(resolve));
  }
}

it('untilFinal counts no progress', async () => {
  const engine = new FakeEngine();
  const id = waitingGroup(engine);
  const ended = new TaskResults(engine).untilFinal(id);
  engine.change(id, { attempt: 0 });
  engine.succeed(id, [1, 2, 3]);
  await expect(ended).resolves.toMatchObject({ state: 'succeeded', result: [1, 2, 3] });
  expect(engine.counts).toBe(0);
});

it('updates yields the final status although a count is still under way', async () => {
  const engine = new SlowCounter();
  const id = waitingGroup(engine);
  const updates = new TaskResults(engine).updates(id);
  const first = updates.next();
  await expect(Promise.race([first, hasCounted(engine)])).resolves.toBe('counting');
  engine.succeed(id, [1, 2, 3]);
  await expect(first).resolves.toMatchObject({ value: { state: 'succeeded' } });
  engine.pending[0]?.(2);
  await expect(updates.next()).resolves.toMatchObject({ done: true });
});

it('updates begins with the progress of a workflow, and counts once for many changes', async () => {
  const engine = new FakeEngine();
  const id = waitingGroup(engine);
  const updates = new TaskResults(engine).updates(id);
  await expect(updates.next()).resolves.toMatchObject({ value: { progress: { current: 0, total: 3 } } });
  const next = updates.next();
  const members = [1, 2].map((member) => engine.add({ id: `member ${member}` }));
  for (const member of members) {
    engine.change(member, { state: 'succeeded' });
    for (let times = 0; times < 10; times++) engine.change(id, {});
  }
  await expect(next).resolves.toMatchObject({ value: { state: 'waiting', progress: { current: 2, total: 3 } } });
  expect(engine.counts).toBeLessThanOrEqual(3);
  await updates.return();
  expect(engine.watched).toBe(0);
});

async function hasCounted(engine: FakeEngine): Promise<string | TaskRecord> {
  while (engine.counts === 0) await new Promise((resolve) => setImmediate(resolve));
  return 'counting';
}

it('result fetches the task before a short timeout is over, if the engine has not called until then', async () => {
  const engine = new FakeEngine();
  engine.watch = () => () => undefined;
  const id = engine.add();
  const handle = new TaskHandle(new TaskResults(engine), { id });
  await expect(handle.result({ timeout: 50 })).rejects.toThrow(`Task ${id} is running after 50 ms.`);
  expect(engine.finds).toBe(1);
});

describe('once the application closes', () => {
  const CLOSED = { code: 'ENGINE_UNAVAILABLE', message: expect.stringContaining('is closed') };

  it.each([
    ['after close', async (results: TaskResults) => results.close()],
    ['during close', async (results: TaskResults) => void results.close()],
    ['after a second close', async (results: TaskResults) => (await results.close(), results.close())],
  ])('result and updates fail at once %s, and watch nothing', async (name, close) => {
    const engine = new NeverFinds();
    const results = new TaskResults(engine);
    const handle = new TaskHandle(results, { id: engine.add({ state: 'succeeded' }) });
    // `close` fetches the tasks of all watchers once more, and this fetch takes its time.
    const earlier = new TaskHandle(results, { id: engine.add() }).result().catch((error: unknown) => error);
    // Only `close` waits, for a second.
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance'] });
    const closed = close(results);
    await jest.advanceTimersByTimeAsync(name === 'during close' ? 0 : 2_000);
    await closed;
    const before = engine.watched;
    for (const wait of [
      () => handle.result(),
      () => handle.result({ timeout: '1h' }),
      () => handle.updates().next(),
      () => new TaskHandle(results, { id: 'no task id' }).result(),
    ]) {
      const began = performance.now();
      await expect(wait()).rejects.toMatchObject(CLOSED);
      expect(performance.now() - began).toBeLessThan(500);
    }
    expect(engine.watched).toBe(before);
    await jest.advanceTimersByTimeAsync(1_000);
    jest.useRealTimers();
    expect(await earlier).toMatchObject(CLOSED);
  });

  it('an observer that stops at once is not called', async () => {
    const results = new TaskResults(new FakeEngine());
    await results.close();
    const calls: unknown[] = [];
    results.follow('q.1', { wantsChanges: true, next: (record) => calls.push(record), fail: (e) => calls.push(e) })();
    await new Promise(setImmediate);
    expect(calls).toEqual([]);
  });
});

/** An engine that gives no answer to a fetch. */
class NeverFinds extends FakeEngine {
  override find(): Promise<never> {
    return new Promise(() => undefined);
  }
}
