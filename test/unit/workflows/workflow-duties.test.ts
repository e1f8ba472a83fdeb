import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Outcome } from '../../../lib/engine/ports/worker-port.js';
import type { TaskRecord, TaskState, TaskTree } from '../../../lib/engine/task.js';
import { memberId, memberIds, queueOfTask, WORKFLOW_QUEUE } from '../../../lib/engine/task-id.js';
import type { Duty } from '../../../lib/engine/workflow-note.js';
import { EngineUnavailableError } from '../../../lib/errors.js';
import type { TaskPlan } from '../../../lib/workflows/plan.js';
import { dutyTask, expiryDuties } from '../../../lib/engine/duty-task.js';
import { WorkflowDuties, type WorkflowDutiesDeps } from '../../../lib/workflows/workflow-duties.js';
import { deliveryOf } from '../../support/delivery.js';
import { ONE_SHARD } from '../../../lib/engine/shards/topology.js';

const ID = `mail.${'t'.repeat(22)}`;
const NOW = Date.UTC(2026, 0, 1);
const CALLBACKS: Duty = { kind: 'callbacks', id: ID, reruns: 0 };

const task = (name: string, known: Partial<TaskPlan> = {}): TaskPlan => ({
  task: name,
  queue: 'mail',
  args: [],
  ...known,
});
const LINKS = {
  onSuccess: [task('onSuccess', { args: ['x'] }), { chain: [task('a'), task('b')] }] as never,
  onError: [task('onError')] as never,
};

const find = jest.fn<WorkflowDutiesDeps['engine']['find']>();
const enqueueTree = jest.fn<WorkflowDutiesDeps['calls']['enqueueTree']>();
const cancel = jest.fn<WorkflowDutiesDeps['engine']['cancel']>();
const failWhole = jest.fn<WorkflowDutiesDeps['engine']['failWhole']>();
const retryLeftBehind = jest.fn<WorkflowDutiesDeps['engine']['retryLeftBehind']>();
const stored = () => enqueueTree.mock.calls.map(([tree]) => tree);

beforeEach(() => void jest.resetAllMocks());

function recordOf(state: TaskState, known: Partial<TaskRecord> = {}): TaskRecord {
  return {
    id: ID,
    name: 'Mail.send',
    queue: 'mail',
    state,
    result: state === 'succeeded' ? 'sent' : null,
    error: { name: 'Declined', message: 'no\0 money', code: 'DECLINED', stack: 'secret' },
    headers: { owner: 'ada' },
    note: LINKS,
    ...known,
  } as TaskRecord;
}

function handle(
  duty: Duty,
  record: TaskRecord | undefined,
  known: Parameters<typeof deliveryOf>[0] = {},
): Promise<Outcome> {
  if (record || find.getMockImplementation() === undefined) find.mockResolvedValue(record);
  const duties = new WorkflowDuties({
    engine: { find, cancel, failWhole, retryLeftBehind, now: () => NOW },
    calls: { enqueueTree, membersOf: (_, trees) => trees },
    maxPayload: 200,
    hasRateLimit: () => false,
    topology: ONE_SHARD,
  });
  return duties.handle(deliveryOf(known), duty);
}

const DONE: Outcome = { kind: 'succeeded', result: undefined };

describe('the task of a duty', () => {
  it('is in the queue of workflows, one for each end', () => {
    const { id, queue, note } = dutyTask(CALLBACKS, ONE_SHARD);
    expect([queue, queueOfTask(id), note]).toEqual([WORKFLOW_QUEUE, WORKFLOW_QUEUE, { duty: CALLBACKS }]);
    expect(dutyTask(CALLBACKS, ONE_SHARD).id).toBe(id);
    expect(dutyTask({ ...CALLBACKS, reruns: 1 }, ONE_SHARD).id).not.toBe(id);
    expect(dutyTask({ ...CALLBACKS, kind: 'cancel members' }, ONE_SHARD).id).not.toBe(id);
  });
});

describe('another run of a cancelled task', () => {
  const duty: Duty = { kind: 'run again', id: ID, at: NOW, reruns: 0 };

  it('begins once the cancelled run has ended', async () => {
    retryLeftBehind.mockResolvedValueOnce(false).mockResolvedValueOnce(true);
    expect(await handle(duty, undefined, { returns: 1 })).toEqual({ kind: 'postponed', delay: 50 });
    expect(await handle(duty, undefined, { returns: 2 })).toEqual(DONE);
    expect(retryLeftBehind.mock.calls).toEqual([[ID], [ID]]);
  });

  it('is one task for each cancellation', () => {
    const ids = [duty, { ...duty, at: NOW + 1 }, { ...duty, reruns: 1 }].map((each) => dutyTask(each, ONE_SHARD).id);
    expect(new Set(ids).size).toBe(3);
    expect(dutyTask(duty, ONE_SHARD).id).toBe(ids[0]);
  });
});

describe('callbacks', () => {
  it('of a success get its result, as workflows of their own', async () => {
    expect(await handle(CALLBACKS, recordOf('succeeded'))).toEqual(DONE);
    expect(stored()).toMatchObject([
      { id: memberId(ID, 'succeeded:0', 'mail'), name: 'onSuccess', args: ['sent', 'x'], headers: { owner: 'ada' } },
      { id: memberId(ID, 'succeeded:1', 'mail'), name: 'b', members: [{ name: 'a', args: ['sent'] }] },
    ]);
    expect(stored().map(({ id, root }) => root === id)).toEqual([true, true]);
  });

  it.each<TaskState>(['failed', 'expired'])('of a task that is %s get its error, and no stack', async (state) => {
    await handle(CALLBACKS, recordOf(state));
    expect(stored()).toHaveLength(1);
    expect(stored()[0]?.args).toStrictEqual([
      { name: 'Declined', message: 'no money', code: 'DECLINED', id: ID, task: 'Mail.send' },
    ]);
  });

  it('have the priority of the task, unless they have one of their own', async () => {
    const onSuccess = [task('a'), task('b', { options: { priority: 2 } })] as never;
    await handle({ ...CALLBACKS, priority: 7 }, recordOf('succeeded', { note: { onSuccess } }));
    expect(stored().map(({ options }) => options.priority)).toEqual([7, 2]);
  });

  it('have other ids after another end', async () => {
    await handle({ ...CALLBACKS, reruns: 2 }, recordOf('failed', { reruns: 2 }));
    expect(stored()[0]?.id).toBe(memberId(ID, 'failed:2:0', 'mail'));
  });

  it.each<[what: string, record: TaskRecord | undefined]>([
    ['a cancelled task', recordOf('cancelled')],
    ['a task that a caller ran again, whose end an earlier version left out', recordOf('succeeded', { reruns: 1 })],
    ['a task that is no longer stored, whose end an earlier version left out', undefined],
  ])('of %s are none', async (_, record) => {
    expect(await handle(CALLBACKS, record)).toEqual(DONE);
    expect(stored()).toEqual([]);
  });

  it.each<[what: string, record: TaskRecord | undefined]>([
    ['a task that a caller ran again', recordOf('running', { reruns: 1 })],
    ['a task that is no longer stored', undefined],
  ])('of %s are those of the end that it was about to have', async (_, record) => {
    const end = {
      kind: 'succeeded',
      name: 'Mail.send',
      queue: 'mail',
      headers: { owner: 'ada' },
      input: 'sent',
    } as const;
    expect(await handle({ ...CALLBACKS, end: { ...end, callbacks: LINKS.onSuccess } }, record)).toEqual(DONE);
    expect(stored()).toMatchObject([
      { id: memberId(ID, 'succeeded:0', 'mail'), name: 'onSuccess', args: ['sent', 'x'], headers: { owner: 'ada' } },
      { id: memberId(ID, 'succeeded:1', 'mail'), name: 'b' },
    ]);
  });

  it.each([
    [0, 25],
    [3, 200],
    [39, 30_000],
  ])('wait for the end: after %d looks for %d ms', async (returns, delay) => {
    expect(await handle(CALLBACKS, recordOf('running'), { returns })).toEqual({ kind: 'postponed', delay });
    expect(stored()).toEqual([]);
  });

  it('that are too large are left out, and the others are not', async () => {
    const onSuccess = [task('large', { args: ['x'.repeat(200)] }), task('small')] as never;
    expect(await handle(CALLBACKS, recordOf('succeeded', { note: { onSuccess } }))).toEqual(DONE);
    expect(stored().map(({ name }) => name)).toEqual(['small']);
  });

  it('are stored later while the engine cannot be reached', async () => {
    enqueueTree.mockRejectedValue(new EngineUnavailableError('no answer'));
    expect(await handle(CALLBACKS, recordOf('succeeded'))).toEqual({ kind: 'postponed', delay: 1_000 });
  });
});

describe('cancelling members', () => {
  const duty: Duty = { kind: 'cancel members', id: ID, reruns: 0 };
  const members = [{ queue: 'mail', count: 120 }];

  it('goes over all members', async () => {
    expect(await handle(duty, recordOf('failed', { members }))).toEqual(DONE);
    expect(cancel.mock.calls.map(([id]) => id)).toEqual(memberIds(ID, members));
  });

  it('waits for the end of the workflow', async () => {
    expect(await handle(duty, recordOf('running', { members }))).toEqual({ kind: 'postponed', delay: 25 });
    expect(cancel).not.toHaveBeenCalled();
  });

  it('stops when a caller runs the workflow again', async () => {
    const failed = recordOf('failed', { members });
    find.mockResolvedValueOnce(failed).mockResolvedValueOnce(failed);
    find.mockResolvedValue(recordOf('waiting', { members, reruns: 1 }));
    expect(await handle(duty, undefined)).toEqual(DONE);
    expect(cancel).toHaveBeenCalledTimes(50);
  });
});

describe('failing the wholes of a member', () => {
  const WHOLE = memberId(ID, 'whole', 'mail');
  const OUTER = memberId(ID, 'outer', 'mail');
  const MEMBER = memberId(WHOLE, 0, 'mail');
  const DUTY: Duty = { kind: 'fail wholes', id: MEMBER, reruns: 0, whole: WHOLE };
  const failed = { name: 'Declined', message: 'no money' };

  /** The member, the task that waits for it, and the one that waits for that. A change of `failWhole` is seen by the next look. */
  function storeTasks(known: Partial<Record<'member' | 'whole' | 'outer', Partial<TaskRecord>>> = {}) {
    const records = new Map<string, TaskRecord>([
      [MEMBER, recordOf('failed', { id: MEMBER, error: failed, note: {}, whole: WHOLE, ...known.member })],
      [
        WHOLE,
        recordOf('waiting', {
          ...{ id: WHOLE, whole: OUTER, note: { after: true, step: 1 } as const },
          ...{ members: [{ queue: 'mail', count: 1 }], ...known.whole },
        }),
      ],
      [OUTER, recordOf('waiting', { id: OUTER, members: [{ queue: 'mail', count: 2 }], ...known.outer })],
    ]);
    find.mockImplementation(async (id) => records.get(id));
    failWhole.mockImplementation(async (id, { failure }) => {
      records.set(id, { ...(records.get(id) as TaskRecord), state: 'failed', error: failure });
      return true;
    });
  }

  it('goes up to the root, and leaves callbacks and cancels behind as a worker does', async () => {
    storeTasks();
    expect(await handle(DUTY, undefined)).toEqual(DONE);
    expect(failWhole.mock.calls.map(([id]) => id)).toEqual([WHOLE, OUTER]);
    expect(failWhole.mock.calls[1]?.[1]).toMatchObject({
      reruns: 0,
      failure: { code: 'WORKFLOW_FAILED', member: { id: MEMBER, position: 0 } },
    });
    expect(enqueueTree.mock.calls.map(([tree]) => tree.note?.duty)).toMatchObject([
      { kind: 'callbacks', id: OUTER },
      { kind: 'cancel members', id: OUTER },
    ]);
  });

  it.each<[what: string, known: Parameters<typeof storeTasks>[0]]>([
    ['a member that a caller has run again', { member: { reruns: 1 } }],
    ['a member that has succeeded after all', { member: { state: 'succeeded' } }],
    ['a whole that a caller has cancelled', { whole: { state: 'cancelled' } }],
  ])('leaves %s alone', async (_, known) => {
    storeTasks(known);
    expect(await handle(DUTY, undefined)).toEqual(DONE);
    expect(failWhole).not.toHaveBeenCalled();
  });

  it.each<[what: string, known: Parameters<typeof storeTasks>[0]]>([
    ['the end of the member is stored', { member: { state: 'running' } }],
    ['a worker gives the whole back', { whole: { state: 'running' } }],
  ])('waits until %s', async (_, known) => {
    storeTasks(known);
    expect(await handle(DUTY, undefined)).toMatchObject({ kind: 'postponed' });
    expect(failWhole).not.toHaveBeenCalled();
  });
});

describe('an expiry', () => {
  const AT = NOW - 1;
  const OWN: Duty = { kind: 'expiry', id: ID, at: AT, reruns: 0 };
  const OF_MEMBERS: Duty = { ...OWN, ofMembers: true };
  const MEMBERS = [{ queue: 'mail', count: 2 }];
  const [FIRST, SECOND] = memberIds(ID, MEMBERS) as [string, string];

  function storeMembers(first: Partial<TaskRecord>, second: Partial<TaskRecord> = { state: 'queued' }) {
    const records = new Map<string, TaskRecord>([
      [ID, recordOf('waiting', { members: MEMBERS, note: {} })],
      [FIRST, recordOf('queued', { id: FIRST, whole: ID, note: {}, ...first })],
      [SECOND, recordOf('queued', { id: SECOND, whole: ID, note: {}, ...second })],
    ]);
    find.mockImplementation(async (id) => records.get(id));
    failWhole.mockResolvedValue(true);
  }

  it('of a member fails its whole and runs its callbacks', async () => {
    storeMembers({ state: 'expired', note: LINKS });
    expect(await handle(OF_MEMBERS, undefined)).toEqual(DONE);
    expect(failWhole.mock.calls).toMatchObject([[ID, { failure: { member: { id: FIRST, position: 0 } } }]]);
    expect(enqueueTree.mock.calls.map(([tree]) => tree.note?.duty)).toMatchObject([
      { kind: 'callbacks', id: FIRST },
      { kind: 'cancel members', id: ID },
    ]);
  });

  it.each<TaskState>(['running', 'retrying', 'succeeded', 'cancelled'])(
    'of a member that is %s instead changes nothing',
    async (state) => {
      storeMembers({ state });
      expect(await handle(OF_MEMBERS, undefined)).toEqual(DONE);
      expect(failWhole).not.toHaveBeenCalled();
      expect(stored()).toEqual([]);
    },
  );

  it('waits while a worker has the whole', async () => {
    find.mockImplementation(async (id) =>
      id === ID
        ? recordOf('running', { members: MEMBERS, note: {} })
        : recordOf('expired', { id, whole: ID, note: {} }),
    );
    expect(await handle(OF_MEMBERS, undefined)).toMatchObject({ kind: 'postponed' });
  });

  it('of a task runs its callbacks, once the task no longer waits for members', async () => {
    expect(await handle(OWN, recordOf('waiting', { members: MEMBERS }))).toMatchObject({ kind: 'postponed' });
    expect(stored()).toEqual([]);
    expect(await handle(OWN, recordOf('expired'))).toEqual(DONE);
    expect(enqueueTree.mock.calls.map(([tree]) => tree.note?.duty)).toMatchObject([{ kind: 'callbacks', id: ID }]);
  });

  it.each<[what: string, state: TaskState, at: number, enqueuedAt: number, outcome: Outcome]>([
    ['has ended', 'failed', NOW + 5, NOW, DONE],
    ['goes on, and expires soon', 'waiting', NOW + 5, NOW, { kind: 'postponed', delay: 105 }],
    ['goes on, and expires in a year', 'waiting', NOW + 31e9, NOW - 7e6, { kind: 'postponed', delay: 7e6 }],
  ])('that has not come looks whether its task %s', async (_, state, at, enqueuedAt, outcome) => {
    const record = recordOf(state, { members: MEMBERS });
    expect(await handle({ ...OF_MEMBERS, at }, record, { enqueuedAt })).toEqual(outcome);
    expect(failWhole).not.toHaveBeenCalled();
  });

  it('of a task that is not stored is none', async () => {
    find.mockResolvedValue(undefined);
    expect(await handle(OWN, undefined)).toEqual(DONE);
  });

  it('has one duty for each time of members, and one for each task with members that fails others or has an onError', () => {
    const tree = (id: string, expiresAt?: number, known: Partial<TaskTree> = {}): TaskTree => ({
      ...{ id: `mail.${id.padEnd(22, '-')}`, name: 'Mail.send', queue: 'mail', args: [], headers: {}, members: [] },
      options: expiresAt === undefined ? {} : { expiresAt },
      ...known,
    });
    const collected = tree('collected', 7, { onFailure: 'wait' });
    const step = tree('step', 5, { members: [tree('before', 5)] });
    const whole = tree('whole', 9, { members: [tree('a', 5), tree('b', 5), tree('c', 6), tree('d'), collected, step] });
    const duties = expiryDuties(whole, NOW, ONE_SHARD);
    expect(duties.map(({ note, options }) => ({ ...note?.duty, waits: (options.startAt ?? 0) > 0 }))).toMatchObject([
      { id: step.id, at: 5 },
      { id: step.id, at: 5, ofMembers: true },
      { id: whole.id, at: 5, ofMembers: true },
      { id: whole.id, at: 6, ofMembers: true },
    ]);
    expect(new Set(duties.map(({ id }) => id)).size).toBe(4);
    expect(expiryDuties({ ...whole, note: LINKS }, NOW, ONE_SHARD)[0]?.note?.duty).toMatchObject({
      id: whole.id,
      at: 9,
    });
    expect(expiryDuties(tree('alone', 9), NOW, ONE_SHARD)).toEqual([]);
  });
});
