import { expect, it } from '@jest/globals';
import type { Interest, TaskRecord } from '../../../lib/engine/engine.js';
import { TaskHandle } from '../../../lib/results/task-handle.js';
import { TaskResults } from '../../../lib/results/task-results.js';
import { FakeEngine } from '../../support/fake-engine.js';

/** A group of three that waits. */
function waitingGroup(engine: FakeEngine): string {
  return engine.add({ state: 'waiting', members: [{ queue: 'default', count: 3 }], note: { group: {} } });
}

/** Counts only when it is told to. */
class SlowCounter extends FakeEngine {
  readonly pending: ((count: number) => void)[] = [];

  override countEnded(): Promise<number> {
    this.counts++;
    return new Promise((resolve) => this.pending.push(resolve));
  }
}

it('counts nothing for whoever waits for the end alone', async () => {
  const engine = new FakeEngine();
  const id = waitingGroup(engine);
  const settled = new TaskResults(engine).settled(id);
  engine.change(id, { attempt: 0 });
  engine.succeed(id, [1, 2, 3]);
  await expect(settled).resolves.toMatchObject({ state: 'succeeded', result: [1, 2, 3] });
  expect(engine.counts).toBe(0);
});

it('tells of the end although counting has not come to its end', async () => {
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

it('begins with how far a workflow is, and counts once for many changes', async () => {
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

it('does not look at what was enqueued this moment, and looks at once when storing took its time', async () => {
  const engine = new FakeEngine();
  const asked: boolean[] = [];
  const watch = engine.watch.bind(engine);
  engine.watch = (id: string, listener: () => void, interest?: Interest) => {
    asked.push(interest?.isNew ?? false);
    return watch(id, listener);
  };
  const now = performance.now();
  for (const enqueuedAt of [now, now - 5_000, undefined]) {
    const id = engine.add();
    const handle = new TaskHandle(new TaskResults(engine), {
      id,
      initialState: 'queued',
      ...(enqueuedAt !== undefined && { enqueuedAt }),
    });
    engine.succeed(id);
    await handle.result();
  }
  expect(asked).toEqual([true, false, false]);
});
