import { expect, it } from '@jest/globals';
import { memberId } from '../../../lib/engine/task-id.js';
import type { TaskRecord } from '../../../lib/engine/task.js';
import { SelfWaitError } from '../../../lib/errors.js';
import { ChildWaits } from '../../../lib/isolation/child-waits.js';

const run = (id: string) => ({ id, name: 'isolated.outer', queue: 'isolated' });

function waitsFor(records: Readonly<Record<string, Partial<TaskRecord>>>, isElsewhere = false) {
  return new ChildWaits({
    engine: { find: async (id) => records[id] as TaskRecord | undefined },
    registry: {
      get: (name) => (name.startsWith('isolated.') ? ({ definition: { isolate: {} } } as never) : undefined),
    },
    runWaits: { beginFor: () => undefined, isConsumedElsewhere: async () => isElsewhere },
    processes: 2,
  });
}

const queued = { name: 'isolated.inner', queue: 'isolated', state: 'queued' } as const;

it('the wait that would keep the last child fails, and the ended ones do not count', async () => {
  const waits = waitsFor({ x: queued, y: queued });
  const first = await waits.begin(run('a'), 'x');
  await expect(waits.begin(run('b'), 'y')).rejects.toThrow(SelfWaitError);
  await expect(waits.begin(run('b'), 'y')).rejects.toThrow('keep all 2 child processes for isolated tasks');
  first.end();
  const again = await waits.begin(run('b'), 'y');
  again.end();
});

it('waits of one task count once, and waits for tasks that need no child do not count', async () => {
  const [a, b] = [run('a'), run('b')];
  const waits = waitsFor({ x: queued, y: queued, plain: { ...queued, name: 'plain.add' }, z: queued });
  await waits.begin(a, 'x');
  await waits.begin(a, 'y');
  await waits.begin(b, 'plain');
  await waits.begin(b, 'unknown');
  await expect(waits.begin(b, 'z')).rejects.toThrow(SelfWaitError);
});

it('a task that runs already, or that another process can run, is waited for', async () => {
  const running = waitsFor({ x: queued, y: { ...queued, state: 'running' } });
  await running.begin(run('a'), 'x');
  await running.begin(run('b'), 'y');
  const elsewhere = waitsFor({ x: queued, y: queued }, true);
  await elsewhere.begin(run('a'), 'x');
  await elsewhere.begin(run('b'), 'y');
});

it('a workflow is waited for with the children that its members need', async () => {
  const id = (index: number) => memberId('flow', index, 'isolated');
  const flow = {
    name: '$group',
    queue: 'isolated',
    state: 'waiting',
    members: [{ queue: 'isolated', count: 3 }],
  } as const;
  const begun = { [id(0)]: { ...queued, state: 'succeeded' }, [id(1)]: { ...queued, name: 'plain.add' } } as const;
  const waits = waitsFor({ flow, ...begun, [id(2)]: queued, x: queued });
  await waits.begin(run('a'), 'x');
  await expect(waits.begin(run('b'), 'flow')).rejects.toThrow(SelfWaitError);
  const without = waitsFor({ flow, ...begun, x: queued });
  await without.begin(run('a'), 'x');
  await without.begin(run('b'), 'flow');
});

it('an earlier wait fails when a later one, for a task that runs, keeps the last child', async () => {
  const waits = waitsFor({ b: { ...queued, state: 'running' }, c: queued });
  const inner = await waits.begin(run('b'), 'c');
  const outer = await waits.begin(run('a'), 'b');
  await expect(inner.failure).rejects.toThrow('Task isolated.outer (b) waits for task c, which can never start');
  inner.end();
  outer.end();
  await outer.failure;
});
