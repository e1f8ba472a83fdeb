import { expect, it } from '@jest/globals';
import type { TaskRecord } from '../../../lib/engine/task.js';
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

  override countEndedMembers(): Promise<number> {
    this.counts++;
    return new Promise((resolve) => this.pending.push(resolve));
  }
}

it('counts nothing for whoever waits for the end alone', async () => {
  const engine = new FakeEngine();
  const id = waitingGroup(engine);
  const ended = new TaskResults(engine).untilFinal(id);
  engine.change(id, { attempt: 0 });
  engine.succeed(id, [1, 2, 3]);
  await expect(ended).resolves.toMatchObject({ state: 'succeeded', result: [1, 2, 3] });
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

it('fetches the task before a short timeout is over, for an engine that calls no sooner', async () => {
  const engine = new FakeEngine();
  engine.watch = () => () => undefined;
  const id = engine.add();
  const handle = new TaskHandle(new TaskResults(engine), { id });
  await expect(handle.result({ timeout: 50 })).rejects.toThrow(`Task ${id} is running after 50 ms.`);
  expect(engine.finds).toBe(1);
});
