import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Job } from 'bullmq';
import { waitForMembers } from '../../../../../lib/engine/bullmq/consumer/wait-for-members.js';
import type { JobData } from '../../../../../lib/engine/bullmq/jobs/job-data.js';
import type { TaskTree } from '../../../../../lib/engine/task.js';

type Counts = { ignored?: number; failed?: number };

/** The steps in the order in which they reached the store. */
const steps: unknown[] = [];
let counts: Required<Counts>;
/** How often the store refuses the next steps. */
let refusals = 0;
const moveToWaitingChildren = jest.fn<(token: string) => Promise<boolean>>();
const missing = jest.fn<(members: readonly TaskTree[]) => Promise<TaskTree[]>>();

const member = (id: string, queue: string, onFailure?: 'run' | 'wait') =>
  ({ id, queue, ...(onFailure && { onFailure }) }) as TaskTree;
const MEMBERS = [member('a.1', 'a'), member('b.2', 'b'), member('b.3', 'b')];
const NOTE = { group: {} };

function refuse(): void {
  if (refusals-- > 0) throw new Error('NOREPLICAS');
}

beforeEach(() => {
  steps.length = 0;
  refusals = 0;
  counts = { ignored: 0, failed: 0 };
  moveToWaitingChildren.mockReset().mockResolvedValue(true);
  missing.mockReset();
});

/** Repeats a step that fails. */
async function untilStored<T>(step: () => Promise<T>): Promise<T> {
  return step().catch(() => untilStored(step));
}

function waitFor(members: readonly TaskTree[], data: Partial<JobData> = {}, hasStarted = true): Promise<boolean> {
  const job = {
    data: { args: [1], ...data },
    // As BullMQ's: the job has the data also when the store has refused it.
    updateData: async (stored: JobData) => {
      job.data = stored;
      refuse();
      steps.push(stored);
    },
    getDependenciesCount: async (types: Record<keyof Counts, boolean>): Promise<Counts> => ({
      ...(types.ignored && { ignored: counts.ignored }),
      ...(types.failed && { failed: counts.failed }),
    }),
    moveToWaitingChildren,
  } as unknown as Job<JobData>;
  const flows = {
    addTo: async (_: Job, added: TaskTree[]) => {
      refuse();
      steps.push(added.map(({ id }) => id));
    },
    missing,
  };
  const run = { job, token: 'token', hasStarted };
  return waitForMembers(run, { kind: 'waiting', members, note: NOTE }, flows as never, untilStored);
}

describe('new members', () => {
  it('are stored between the mark and the note', async () => {
    expect(await waitFor(MEMBERS)).toBe(true);
    expect(steps).toStrictEqual([
      { args: [1], adding: true },
      ['a.1', 'b.2', 'b.3'],
      {
        args: [1],
        note: NOTE,
        members: [
          { queue: 'a', count: 1 },
          { queue: 'b', count: 2 },
        ],
      },
    ]);
  });

  it.each([1, 2, 3, 5])('are stored once, and named once, by a store that refuses %i steps', async (count) => {
    refusals = count;
    missing.mockResolvedValue(MEMBERS);
    expect(await waitFor(MEMBERS, { members: [{ queue: 'a', count: 5 }] })).toBe(true);
    expect(steps).toMatchObject([
      { adding: true },
      ['a.1', 'b.2', 'b.3'],
      {
        note: NOTE,
        members: [
          { queue: 'a', count: 6 },
          { queue: 'b', count: 2 },
        ],
      },
    ]);
    expect(steps[2]).not.toHaveProperty('adding');
  });

  it('come after those that the task has', async () => {
    await waitFor(MEMBERS, { members: [{ queue: 'a', count: 5 }] });
    expect((steps.at(-1) as { members: unknown }).members).toEqual([
      { queue: 'a', count: 6 },
      { queue: 'b', count: 2 },
    ]);
  });

  it('are stored as far as they are missing when a process died while it stored them', async () => {
    missing.mockResolvedValue([member('b.3', 'b')]);
    expect(await waitFor(MEMBERS, { adding: true })).toBe(true);
    expect(missing.mock.calls).toEqual([[MEMBERS]]);
    expect(steps).toStrictEqual([
      ['b.3'],
      {
        args: [1],
        note: NOTE,
        members: [
          { queue: 'a', count: 1 },
          { queue: 'b', count: 2 },
        ],
      },
    ]);
  });

  it.each<[what: string, ended: Counts, onFailure: 'run' | 'wait' | undefined, waits: boolean]>([
    ['none has failed', { ignored: 0, failed: 0 }, undefined, true],
    ['one has failed', { failed: 1 }, undefined, false],
    ['one has failed and was ignored by BullMQ', { ignored: 1 }, 'run', false],
    ['one has failed, and the task waits for all of them anyway', { ignored: 1 }, 'wait', true],
  ])('are waited for, or not, when %s', async (_, ended, onFailure, waits) => {
    counts = { ignored: 0, failed: 0, ...ended };
    expect(await waitFor([member('a.1', 'a', onFailure)])).toBe(waits);
    expect(moveToWaitingChildren).toHaveBeenCalledTimes(waits ? 1 : 0);
  });
});

it.each([true, false])('reports %p when BullMQ does, without new members', async (waits) => {
  moveToWaitingChildren.mockResolvedValue(waits);
  expect(await waitFor([])).toBe(waits);
  expect(moveToWaitingChildren).toHaveBeenCalledWith('token');
  expect(steps).toEqual([{ args: [1] }]);
});

it.each([
  ['new members', MEMBERS],
  ['no new members', []],
])('counts a run that did not call the method as a look, with %s', async (_, members) => {
  await waitFor(members, { looks: 4 }, false);
  expect(steps.at(-1)).toMatchObject({ looks: 5 });
});
