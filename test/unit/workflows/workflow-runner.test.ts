import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { cancellation } from '../../../lib/engine/failures.js';
import type { Json } from '../../../lib/engine/json.js';
import { Instrumentations } from '../../../lib/engine/instrumentation.js';
import type { Delivery, DeliveryHandler, Outcome } from '../../../lib/engine/ports/worker-port.js';
import type { FailedResult, MemberResult, TaskFailure, TaskTree } from '../../../lib/engine/task.js';
import { memberId, queueOfTask, WORKFLOW_QUEUE } from '../../../lib/engine/task-id.js';
import { GROUP_TASK, type WorkflowNote } from '../../../lib/engine/workflow-note.js';
import { EngineUnavailableError } from '../../../lib/errors.js';
import type { Plan, TaskPlan } from '../../../lib/workflows/plan.js';
import type { RunOutcome } from '../../../lib/workflows/run-outcome.js';
import type { WorkflowRunnerDeps } from '../../../lib/workflows/workflow-runner.js';
import { deliveryOf } from '../../support/delivery.js';
import { ONE_SHARD } from '../../../lib/engine/shards/topology.js';

/** The pauses of the runner, which take no time here. */
const pause = jest.fn<(milliseconds: number) => Promise<void>>();
jest.unstable_mockModule('node:timers/promises', () => ({ setTimeout: pause }));
const { WorkflowRunner } = await import('../../../lib/workflows/workflow-runner.js');

const ID = `default.${'t'.repeat(22)}`;
const ROOT = `default.${'r'.repeat(22)}`;
const FAILURE: TaskFailure = { name: 'Declined', message: 'no money', code: 'DECLINED', stack: 'Declined: no money' };

const task = (name: string, known: Partial<TaskPlan> = {}): TaskPlan => ({
  task: name,
  queue: 'default',
  args: [],
  ...known,
});
const [a, b] = [task('a'), task('b')];

const succeeded = (value: Json, id = 'default.m'): MemberResult => ({ id, state: 'succeeded', value });
const failed = (failure = FAILURE, id = 'default.m'): MemberResult => ({
  id,
  state: 'failed',
  task: 'Bank.charge',
  failure,
});
const unfinished = (id = 'default.m'): MemberResult => ({ id, state: 'unfinished' });

const execute = jest.fn<DeliveryHandler<RunOutcome>['handle']>();
const enqueueTree = jest.fn<WorkflowRunnerDeps['calls']['enqueueTree']>();
let instrumentations: Instrumentations;
const cancel = jest.fn<WorkflowRunnerDeps['engine']['cancel']>();

beforeEach(() => {
  jest.resetAllMocks();
  instrumentations = new Instrumentations();
  execute.mockResolvedValue({ kind: 'succeeded', result: 'done' });
  enqueueTree.mockImplementation(async ({ id }) => ({ id, deduplicated: false, state: 'queued' }));
});

/** Runs a task of a workflow with this note, after its members ended as they did. */
function run(note: WorkflowNote | undefined, members: readonly MemberResult[] = [], known: Partial<Delivery> = {}) {
  const runner = new WorkflowRunner({
    engine: {
      cancel,
      failWhole: () => Promise.resolve(false),
      retryLeftBehind: () => Promise.resolve(true),
      find: () => Promise.resolve(undefined),
      now: () => Date.now(),
    },
    calls: { enqueueTree, membersOf: (_, trees) => trees },
    instrumentations,
    executor: { handle: execute },
    itemsAtOnce: () => 1,
    maxPayload: 200,
    hasRateLimit: () => false,
    topology: ONE_SHARD,
  });
  return runner.handle(
    deliveryOf({
      id: ID,
      root: ROOT,
      headers: { owner: 'ada' },
      ...(note && { note }),
      memberCount: members.length,
      members: () => Promise.resolve(members),
      ...known,
    }),
  );
}

/** The arguments of each call of the method. */
const argumentsOfCalls = () => execute.mock.calls.map(([{ args }]) => args);
/** What an outcome stores as new members: their names, arguments and ids. */
const membersOf = (outcome: Outcome) => (outcome as { members: readonly TaskTree[] }).members;

describe('an instrumentation', () => {
  it.each<[what: string, calls: number, note: WorkflowNote | undefined, members: readonly MemberResult[]]>([
    ['a task outside of workflows', 1, undefined, []],
    ['a step', 1, { after: true, piped: true }, [succeeded(1)]],
    ['all items of a map together', 1, { each: true }, []],
    ['a step whose member failed', 0, { after: true }, [failed()]],
    ['a step whose member runs', 0, { after: true }, [unfinished()]],
    ['a step whose delay is not over', 0, { after: true, delay: 1_000 }, [succeeded(1)]],
    ['a group', 0, { group: {} }, [succeeded(1)]],
    ['a task that another replaced', 0, { replaced: true }, [succeeded(1)]],
    ['a duty', 0, { duty: { kind: 'callbacks', id: 'default.x', reruns: 0 } }, []],
  ])('sees the attempts of %s: %d', async (_, calls, note, members) => {
    const seen: string[] = [];
    instrumentations.add({
      run: (delivery, next) => {
        seen.push(delivery.id);
        return next();
      },
    });
    await run(note, members, note?.each ? { args: [[1], [2]] } : {});
    expect(seen).toEqual(Array(calls).fill(ID));
  });
});

describe('a task outside of workflows', () => {
  it.each<RunOutcome>([
    { kind: 'succeeded', result: 1 },
    { kind: 'failed', failure: FAILURE },
    { kind: 'retry', failure: FAILURE, delay: 5 },
    { kind: 'postponed', delay: 5 },
  ])('has the outcome of its method: $kind', async (outcome) => {
    execute.mockResolvedValue(outcome);
    expect(await run(undefined, [], { args: [1, 2] })).toBe(outcome);
    expect(argumentsOfCalls()).toEqual([[1, 2]]);
  });

  it('waits for the task that replaces it', async () => {
    execute.mockResolvedValue({ kind: 'replaced', plan: task('a', { args: [1] }) });
    const outcome = await run(undefined);
    expect(outcome).toMatchObject({ kind: 'waiting', note: { replaced: true } });
    expect(membersOf(outcome)).toMatchObject([
      { id: memberId(ID, 0, 'default'), name: 'a', args: [1], root: ROOT, headers: { owner: 'ada' } },
    ]);
  });
});

describe('a step of a chain', () => {
  const after: WorkflowNote = { after: true, step: 1 };

  it.each<[what: string, note: WorkflowNote, args: Json[]]>([
    ['gets the result of the step before as its first argument', { ...after, piped: true }, ['before', 1]],
    ['gets no result when it is immutable', after, [1]],
  ])('%s', async (_, note, args) => {
    await run(note, [succeeded('before')], { args: [1] });
    expect(argumentsOfCalls()).toEqual([args]);
  });

  it.each<Json>([null, 0, false, '', [], {}])('gets the result %j as well', async (value) => {
    await run({ ...after, piped: true }, [succeeded(value)]);
    expect(argumentsOfCalls()).toEqual([[value]]);
  });

  it('is left to the executor without arguments when the job is no task', async () => {
    await run({ ...after, piped: true }, [succeeded('before')], { args: undefined });
    expect(argumentsOfCalls()).toEqual([undefined]);
  });

  it('fails without running when the step before failed', async () => {
    const outcome = await run({ after: true, step: 3, last: true }, [failed()]);
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: { code: 'WORKFLOW_FAILED', member: { id: 'default.m', task: 'Bank.charge', position: 2 } },
    });
    expect(execute).not.toHaveBeenCalled();
  });

  it.each([
    ['a delay counts from its turn', 60_000],
    ['a time is that time', { at: Date.now() + 60_000 }],
  ])('starts later: %s', async (_, delay) => {
    const outcome = await run({ ...after, delay }, [succeeded('before')]);
    expect(execute).not.toHaveBeenCalled();
    const { note } = outcome as { note: { delay: { at: number } } };
    expect(note.delay.at - Date.now()).toBeGreaterThan(50_000);
    expect(outcome).toMatchObject({ kind: 'postponed', note: after });
    await run({ ...after, delay: { at: Date.now() } }, [succeeded('before')]);
    expect(execute).toHaveBeenCalledTimes(1);
  });

  it('fails at once with the step before, whatever its delay is', async () => {
    expect(await run({ ...after, delay: 60_000 }, [failed()])).toMatchObject({ kind: 'failed' });
  });

  it('fails when its arguments are too large with the result of the step before', async () => {
    const input = succeeded('x'.repeat(120));
    expect(await run({ ...after, piped: true }, [input], { args: ['y'.repeat(120)] })).toMatchObject({
      kind: 'failed',
      failure: { code: 'PAYLOAD_TOO_LARGE', message: expect.stringMatching(/Reports\.build.*2\d\d.*200/) as unknown },
    });
    expect(execute).not.toHaveBeenCalled();
  });

  it('waits on when the step before has not ended', async () => {
    expect(await run(after, [unfinished()])).toEqual({ kind: 'waiting', members: [], note: after });
    expect(execute).not.toHaveBeenCalled();
  });

  it('has its own failure, because the step after it names the step', async () => {
    execute.mockResolvedValue({ kind: 'failed', failure: FAILURE });
    expect(await run(after, [succeeded(1)])).toEqual({ kind: 'failed', failure: FAILURE });
  });

  it('has the failure of the workflow when it is the last', async () => {
    execute.mockResolvedValue({ kind: 'failed', failure: FAILURE });
    expect(await run({ ...after, step: 2, last: true }, [succeeded(1)])).toMatchObject({
      kind: 'failed',
      failure: { code: 'WORKFLOW_FAILED', member: { id: ID, task: 'Reports.build', position: 2 } },
    });
  });

  it('is cancelled, also when it is the last', async () => {
    const outcome: Outcome = { kind: 'failed', failure: cancellation('enough') };
    execute.mockResolvedValue(outcome);
    expect(await run({ ...after, last: true }, [succeeded(1)])).toEqual(outcome);
  });

  it.each<RunOutcome>([
    { kind: 'retry', failure: FAILURE, delay: 5 },
    { kind: 'postponed', delay: 5 },
  ])('may run again: $kind', async (outcome) => {
    execute.mockResolvedValue(outcome);
    expect(await run({ ...after, last: true, onError: [a as never] }, [succeeded(1)])).toEqual(outcome);
    expect(enqueueTree).not.toHaveBeenCalled();
  });

  it('may be replaced: it then waits for the other task beside the step before', async () => {
    execute.mockResolvedValue({ kind: 'replaced', plan: { group: [a, b] } });
    const note: WorkflowNote = { ...after, last: true, onSuccess: [a as never] };
    const outcome = await run(note, [succeeded('before')]);
    expect(outcome).toMatchObject({ kind: 'waiting', note: { ...note, replaced: true } });
    expect(membersOf(outcome)).toMatchObject([{ id: memberId(ID, 1, 'default'), name: GROUP_TASK }]);
    expect(enqueueTree).not.toHaveBeenCalled();
  });
});

describe('a task that was replaced', () => {
  it('has the result of the other task, and does not run again', async () => {
    expect(await run({ replaced: true }, [succeeded(5)])).toEqual({ kind: 'succeeded', result: 5 });
    expect(await run({ after: true, step: 1, replaced: true }, [succeeded(1), succeeded(6)])).toMatchObject({
      result: 6,
    });
    expect(execute).not.toHaveBeenCalled();
  });

  it('has the result of the last of several that replaced each other', async () => {
    expect(await run({ replaced: true }, [succeeded(1), succeeded(2)])).toMatchObject({ result: 2 });
  });

  it('fails with the other task', async () => {
    expect(await run({ replaced: true }, [failed()])).toMatchObject({
      kind: 'failed',
      failure: { member: { task: 'Bank.charge' } },
    });
  });
});

describe('a task that runs for each list of arguments', () => {
  const each: WorkflowNote = { each: true };

  it('calls the method for each, one after the other, and gives the list of results', async () => {
    execute
      .mockResolvedValueOnce({ kind: 'succeeded', result: 3 })
      .mockResolvedValueOnce({ kind: 'succeeded', result: undefined });
    expect(await run(each, [], { args: [[1, 2], ['x']] })).toEqual({ kind: 'succeeded', result: [3, null] });
    expect(argumentsOfCalls()).toEqual([[1, 2], ['x']]);
  });

  it('gives an empty list for no list', async () => {
    expect(await run(each, [], { args: [] })).toEqual({ kind: 'succeeded', result: [] });
    expect(execute).not.toHaveBeenCalled();
  });

  it('fails with the first that fails', async () => {
    execute
      .mockResolvedValueOnce({ kind: 'succeeded', result: 1 })
      .mockResolvedValueOnce({ kind: 'failed', failure: FAILURE });
    expect(await run(each, [], { args: [[1], [2], [3]] })).toEqual({ kind: 'failed', failure: FAILURE });
    expect(execute).toHaveBeenCalledTimes(2);
  });

  it.each<[what: string, outcome: RunOutcome, member: object]>([
    ['becomes another', { kind: 'replaced', plan: task('a', { args: [7] }) }, { name: 'a', args: [7] }],
    [
      'asks to run later',
      { kind: 'postponed', delay: 60_000, asked: true },
      { name: 'Reports.build', args: [2], options: { attempts: 3 }, note: { tried: 1 } },
    ],
    [
      'has another attempt',
      { kind: 'retry', failure: FAILURE, delay: 60_000 },
      { name: 'Reports.build', args: [2], options: { attempts: 3 }, note: { tried: 2 } },
    ],
  ])('goes on with the others when one %s: it is then a task of its own', async (_, outcome, member) => {
    execute.mockResolvedValueOnce({ kind: 'succeeded', result: 1 }).mockResolvedValueOnce(outcome);
    const options = { attempts: 3, expiresAt: 1 };
    const waiting = await run(each, [], { args: [[1], [2], [3]], attempt: 2, options });
    expect(argumentsOfCalls()).toEqual([[1], [2], [3]]);
    const items = [{ value: 1 }, { member: 0 }, { value: 'done' }];
    expect(waiting).toMatchObject({ kind: 'waiting', note: { each: true, items } });
    expect(membersOf(waiting)).toMatchObject([{ ...member, id: memberId(ID, 0, 'default') }]);
    expect(membersOf(waiting)[0]?.options).not.toHaveProperty('expiresAt');
    execute.mockClear();
    expect(await run({ ...each, items }, [succeeded(5)], { args: [[1], [2], [3]] })).toEqual({
      kind: 'succeeded',
      result: [1, 5, 'done'],
    });
    expect(execute).not.toHaveBeenCalled();
  });

  it('is named by its place in the list when a task of its own failed', async () => {
    const note: WorkflowNote = { ...each, items: [{ value: 1 }, { value: 1 }, { member: 0 }] };
    expect(await run(note, [failed()], { args: [[1], [2], [3]] })).toMatchObject({
      kind: 'failed',
      failure: { member: { position: 2 } },
    });
  });

  it('keeps the results so far when the process has to stop in between', async () => {
    execute
      .mockResolvedValueOnce({ kind: 'succeeded', result: 1 })
      .mockResolvedValueOnce({ kind: 'replaced', plan: a })
      .mockResolvedValueOnce({ kind: 'postponed', delay: 0 });
    const items = [{ value: 1 }, null, null];
    expect(await run(each, [], { args: [[1], [2], [3]] })).toEqual({
      kind: 'postponed',
      delay: 0,
      note: { ...each, items },
    });
    execute.mockClear();
    expect(await run({ ...each, items }, [], { args: [[1], [2], [3]] })).toMatchObject({ result: [1, 'done', 'done'] });
    expect(argumentsOfCalls()).toEqual([[2], [3]]);
  });

  it('fails when the results together are too large to store', async () => {
    execute.mockResolvedValue({ kind: 'succeeded', result: 'x'.repeat(80) });
    expect(await run(each, [], { args: [[1], [2]] })).toMatchObject({ kind: 'succeeded' });
    expect(await run(each, [], { args: [[1], [2], [3]] })).toMatchObject({
      kind: 'failed',
      failure: { code: 'PAYLOAD_TOO_LARGE' },
    });
  });
});

describe('a group', () => {
  it('gives the list of the results, in order, without calling a method', async () => {
    expect(await run({ group: {} }, [succeeded(1), succeeded(null), succeeded('x')])).toEqual({
      kind: 'succeeded',
      result: [1, null, 'x'],
    });
    expect(execute).not.toHaveBeenCalled();
  });

  it('gives an empty list without members', async () => {
    expect(await run({ group: {} })).toEqual({ kind: 'succeeded', result: [] });
  });

  it('leaves the result of the step before out of the list', async () => {
    expect(await run({ after: true, step: 1, group: {} }, [succeeded('before'), succeeded(1)])).toMatchObject({
      result: [1],
    });
  });

  it('waits on while a member has not ended', async () => {
    const note: WorkflowNote = { group: {} };
    expect(await run(note, [succeeded(1), unfinished()])).toEqual({ kind: 'waiting', members: [], note });
    expect(cancel).not.toHaveBeenCalled();
  });

  it('fails with the first member that failed, and cancels those that have not ended', async () => {
    const members = [
      succeeded(1),
      unfinished('default.2'),
      failed(FAILURE, 'default.3'),
      failed(),
      unfinished('default.5'),
    ];
    expect(await run({ group: {} }, members)).toMatchObject({
      kind: 'failed',
      failure: { code: 'WORKFLOW_FAILED', member: { id: 'default.3', position: 2 } },
    });
    expect(cancel.mock.calls.map(([id]) => id)).toEqual(['default.2', 'default.5']);
  });

  it('that is large fails without reading its members: a duty cancels most of them afterwards', async () => {
    const left = Array.from({ length: 250 }, (_, index) => `default.${index}`);
    const members = jest.fn<Delivery['members']>();
    const member = failed() as FailedResult;
    const outcome = await run({ group: {} }, [], {
      memberCount: 251,
      members,
      failedMember: () => Promise.resolve({ place: 4, member, unfinished: left }),
    });
    expect(outcome).toMatchObject({ kind: 'failed', failure: { member: { position: 4 } } });
    expect(members).not.toHaveBeenCalled();
    expect(cancel.mock.calls.map(([id]) => id)).toEqual(left.slice(0, 100));
    expect(enqueueTree.mock.calls.map(([{ note }]) => note)).toEqual([
      { duty: { kind: 'cancel members', id: ID, reruns: 0 } },
    ]);
  });

  it.each<[what: string, members: MemberResult[], position: number]>([
    ['the step before by its place in the chain', [failed()], 3],
    ['a member by its place in the group', [succeeded(0), succeeded(1), failed()], 1],
  ])('after another step names %s', async (_, members, position) => {
    const outcome = await run({ after: true, step: 4, group: {} }, members);
    expect(outcome).toMatchObject({ kind: 'failed', failure: { member: { position } } });
  });

  it('fails when the results together are too large to store', async () => {
    const half = succeeded('x'.repeat(120));
    expect(await run({ group: {} }, [half])).toMatchObject({ kind: 'succeeded' });
    expect(await run({ group: {} }, [half, half])).toMatchObject({
      kind: 'failed',
      failure: { code: 'PAYLOAD_TOO_LARGE' },
    });
  });
});

describe('a group that collects failures', () => {
  const group = { onFailure: 'collect' } as const;

  it('gives an entry for each member, and no stack', async () => {
    const members = [succeeded(1), failed(), failed({ name: 'Error', message: 'no' })];
    expect(await run({ group }, members)).toEqual({
      kind: 'succeeded',
      result: [
        { ok: true, value: 1 },
        { ok: false, error: { name: 'Declined', message: 'no money', code: 'DECLINED' } },
        { ok: false, error: { name: 'Error', message: 'no' } },
      ],
    } satisfies Outcome);
  });

  it('waits on while a member has not ended, though another failed', async () => {
    expect(await run({ group }, [failed(), unfinished()])).toMatchObject({ kind: 'waiting', members: [] });
    expect(cancel).not.toHaveBeenCalled();
  });

  it.each<[when: string, note: WorkflowNote]>([
    ['before its members are stored', { after: true, step: 1, group: { ...group, later: [a as never] } }],
    ['after its members are stored', { after: true, step: 1, group }],
  ])('fails with the step before, %s', async (_, note) => {
    expect(await run(note, [failed()])).toMatchObject({ kind: 'failed', failure: { member: { position: 0 } } });
  });
});

describe('a group whose members come later', () => {
  const note = (plans: Plan[], group: object = {}): WorkflowNote => ({
    after: true,
    step: 1,
    last: true,
    group: { ...group, later: plans as never },
  });

  it('stores them with the result of the step before as their first argument', async () => {
    const plans = [task('a', { args: [1] }), { chain: [a, b] }, task('b', { immutable: true })];
    const outcome = await run(note(plans), [succeeded('before')]);
    expect(outcome).toMatchObject({ kind: 'waiting', note: { after: true, step: 1, last: true, group: {} } });
    expect((outcome as { note: WorkflowNote }).note.group).toStrictEqual({});
    expect(membersOf(outcome)).toMatchObject([
      { id: memberId(ID, 1, 'default'), name: 'a', args: ['before', 1], root: ROOT, headers: { owner: 'ada' } },
      { id: memberId(ID, 2, 'default'), name: 'b', args: [], members: [{ name: 'a', args: ['before'] }] },
      { id: memberId(ID, 3, 'default'), name: 'b', args: [] },
    ]);
    expect(execute).not.toHaveBeenCalled();
  });

  it('gives them the rule for failures', async () => {
    const outcome = await run(note([a], { onFailure: 'collect' }), [succeeded(1)]);
    expect(membersOf(outcome)).toMatchObject([{ onFailure: 'wait' }]);
    expect(outcome).toMatchObject({ note: { group: { onFailure: 'collect' } } });
  });

  it('gives an empty list when there are none', async () => {
    expect(await run(note([]), [succeeded(1)])).toEqual({ kind: 'succeeded', result: [] });
  });

  it('fails when the arguments of one are too large with the result', async () => {
    const plans = [a, task('b', { args: ['y'.repeat(120)] })];
    expect(await run(note(plans), [succeeded('x'.repeat(120))])).toMatchObject({
      kind: 'failed',
      failure: { code: 'PAYLOAD_TOO_LARGE', message: expect.stringContaining('task "b"') as unknown },
    });
  });

  it('stores none while the step before has not ended, or when it failed', async () => {
    expect(await run(note([a]), [unfinished()])).toMatchObject({ kind: 'waiting', members: [] });
    expect(await run(note([a]), [failed()])).toMatchObject({ kind: 'failed' });
  });
});

describe('callbacks', () => {
  const links: WorkflowNote = { onSuccess: [task('onSuccess')] as never, onError: [task('onError')] as never };
  const stored = () => enqueueTree.mock.calls.map(([tree]) => tree);

  it.each<RunOutcome>([
    { kind: 'succeeded', result: 1 },
    { kind: 'failed', failure: FAILURE },
  ])('are left to a duty before the end is stored: $kind', async (outcome) => {
    execute.mockResolvedValue(outcome);
    expect(await run(links, [], { options: { priority: 4 } })).toEqual(outcome);
    expect(stored()).toMatchObject([
      { queue: WORKFLOW_QUEUE, note: { duty: { kind: 'callbacks', id: ID, reruns: 0, priority: 4 } } },
    ]);
    expect(queueOfTask(stored()[0]?.id as string)).toBe(WORKFLOW_QUEUE);
  });

  it('after the failure of a member are left to a duty too', async () => {
    await run({ group: {}, ...links }, [failed()]);
    expect(stored()).toMatchObject([{ note: { duty: { kind: 'callbacks' } } }]);
  });

  it('after the deaths of its processes are left to a duty too', async () => {
    expect(await run(links, [], { abandoned: 2 })).toMatchObject({ kind: 'failed', failure: { code: 'WORKER_LOST' } });
    expect(stored()).toHaveLength(1);
    expect(execute).not.toHaveBeenCalled();
  });

  it.each<RunOutcome>([
    { kind: 'failed', failure: cancellation('enough') },
    { kind: 'retry', failure: FAILURE, delay: 5 },
    { kind: 'postponed', delay: 5 },
    { kind: 'replaced', plan: a },
  ])('are none after another outcome: $kind', async (outcome) => {
    execute.mockResolvedValue(outcome);
    await run(links);
    expect(stored()).toEqual([]);
  });

  it('are a duty of the same id until a caller runs the task again', async () => {
    await run(links);
    await run(links);
    await run(links, [], { reruns: 1 });
    const [first, second, third] = stored();
    expect(second?.id).toBe(first?.id);
    expect(third?.id).not.toBe(first?.id);
  });

  it('are left before the end of the task is stored', async () => {
    let store = () => {};
    enqueueTree.mockReturnValueOnce(new Promise((resolve) => (store = () => resolve({} as never))));
    const ended = jest.fn();
    const outcome = run(links).then(ended);
    await new Promise(setImmediate);
    expect(ended).not.toHaveBeenCalled();
    store();
    await outcome;
    expect(ended).toHaveBeenCalledWith({ kind: 'succeeded', result: 'done' });
  });

  it('are left once the engine can be reached, however often that takes', async () => {
    const outage = new EngineUnavailableError('no answer');
    enqueueTree.mockRejectedValueOnce(outage).mockRejectedValueOnce(outage);
    expect(await run(links)).toMatchObject({ kind: 'succeeded' });
    expect(enqueueTree).toHaveBeenCalledTimes(3);
    expect(pause.mock.calls).toEqual([[1_000], [1_000]]);
  });

  it('that can never be stored do not keep the task from ending', async () => {
    enqueueTree.mockRejectedValue(new Error('WRONGTYPE'));
    expect(await run(links)).toMatchObject({ kind: 'succeeded' });
    expect(enqueueTree).toHaveBeenCalledTimes(1);
  });

  it('keep the end from being stored when the run has to stop first', async () => {
    const outage = new EngineUnavailableError('no answer');
    enqueueTree.mockRejectedValue(outage);
    const delivery = deliveryOf();
    delivery.interruption.request(new Error('closing'));
    const { interruption } = delivery;
    await expect(run(links, [], { interruption })).rejects.toBe(outage);
    expect(enqueueTree).toHaveBeenCalledTimes(1);
  });
});

it('rejects when the engine cannot give the results of the members', async () => {
  const error = new EngineUnavailableError('no answer');
  await expect(run({ group: {} }, [unfinished()], { members: () => Promise.reject(error) })).rejects.toBe(error);
});

it('asks for no results of a task without members', async () => {
  const members = jest.fn<Delivery['members']>();
  await run({ onSuccess: [] }, [], { members });
  expect(members).not.toHaveBeenCalled();
});
