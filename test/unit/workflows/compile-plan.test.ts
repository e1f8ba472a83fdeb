import { describe, expect, it } from '@jest/globals';
import type { TaskTree } from '../../../lib/engine/task.js';
import { memberId, queueOfTask, WORKFLOW_QUEUE } from '../../../lib/engine/task-id.js';
import { GROUP_TASK, type WorkflowNote } from '../../../lib/engine/workflow-note.js';
import { ConfigurationError } from '../../../lib/errors.js';
import { compileMembers, compilePlan, withFailure } from '../../../lib/workflows/compile-plan.js';
import type { Plan, TaskPlan } from '../../../lib/workflows/plan.js';
import { ONE_SHARD } from '../../../lib/engine/shards/topology.js';

const NOW = Date.UTC(2026, 0, 1);
const ROOT = `x.${'r'.repeat(22)}`;
const CONTEXT = {
  headers: { owner: 'ada' },
  now: NOW,
  root: ROOT,
  queue: 'context',
  hasRateLimit: (queue: string) => queue === 'limited',
  topology: ONE_SHARD,
};

const task = (name: string, known: Partial<TaskPlan> = {}): TaskPlan => ({
  task: name,
  queue: 'x',
  args: [],
  ...known,
});
const [a, b, c] = [task('a'), task('b'), task('c')];
const compile = (plan: Plan) => compilePlan(plan, ROOT, CONTEXT);

/** A tree as text: each task with its note, and the tasks it waits for. */
interface Shape {
  readonly name: string;
  readonly note: WorkflowNote;
  readonly members?: readonly Shape[];
}

function shapeOf({ name, note = {}, members }: TaskTree): Shape {
  return { name, note, ...(members.length > 0 && { members: members.map(shapeOf) }) };
}

describe('a task', () => {
  it('becomes one call', () => {
    expect(compile(task('a', { args: [1, 'x'] }))).toStrictEqual({
      id: ROOT,
      name: 'a',
      queue: 'x',
      args: [1, 'x'],
      headers: { owner: 'ada' },
      options: {},
      members: [],
      root: ROOT,
      note: {},
    });
  });

  it('has its own headers over those of the workflow', () => {
    const { headers } = compile(task('a', { headers: { owner: 'bob', trace: '1' } }));
    expect(headers).toEqual({ owner: 'bob', trace: '1' });
  });

  it.each<[what: string, plan: Partial<TaskPlan>, options: object]>([
    ['as it is', { options: { attempts: 3, timeout: 5 } }, { attempts: 3, timeout: 5 }],
    ['a delay from now', { delay: 1_000 }, { startAt: NOW + 1_000 }],
    ['a delay until a time', { delay: { at: NOW + 7 } }, { startAt: NOW + 7 }],
    ['an expiry from now', { expires: 1_000 }, { expiresAt: NOW + 1_000 }],
    ['an expiry at a time', { expires: { at: NOW + 7 } }, { expiresAt: NOW + 7 }],
    ['a delay of nothing', { delay: 0 }, { startAt: NOW }],
  ])('has its options: %s', (_, plan, options) => {
    expect(compile(task('a', plan)).options).toStrictEqual(options);
  });

  it.each<[what: string, plan: Partial<TaskPlan>, note: WorkflowNote]>([
    ['nothing', {}, {}],
    ['that it runs for each list of arguments', { each: true, immutable: true }, { each: true }],
    ['the plans after a success', { onSuccess: [b] }, { onSuccess: [b as never] }],
    ['the plans after a failure', { onError: [b, c] }, { onError: [b as never, c as never] }],
  ])('has in its note %s', (_, plan, note) => {
    expect(compile(task('a', plan)).note).toStrictEqual(note);
  });

  it('that cannot be part of a workflow is refused wherever it is, with the reason', () => {
    const alone = task('a', { alone: 'is unique' });
    for (const plan of [alone, { chain: [alone, b] }, { chain: [b, alone] }, { group: [b, { group: [alone] }] }]) {
      expect(() => compile(plan)).toThrow(ConfigurationError);
      expect(() => compile(plan)).toThrow(/"a" is unique/);
    }
  });
});

describe('a chain', () => {
  it('becomes its last step, which waits for the step before it, and so on', () => {
    expect(shapeOf(compile({ chain: [a, b, c] }))).toStrictEqual({
      name: 'c',
      note: { after: true, step: 2, last: true, piped: true },
      members: [{ name: 'b', note: { after: true, step: 1, piped: true }, members: [{ name: 'a', note: {} }] }],
    });
  });

  it('of one step is the step', () => {
    expect(compile({ chain: [a] })).toEqual(compile(a));
  });

  it('inside a chain becomes part of it', () => {
    expect(compile({ chain: [a, { chain: [b, c] }] })).toEqual(compile({ chain: [a, b, c] }));
    expect(compile({ chain: [{ chain: [a, b] }, c] })).toEqual(compile({ chain: [a, b, c] }));
  });

  it.each<[what: string, step: Partial<TaskPlan>, note: WorkflowNote]>([
    ['gets the result of the step before', {}, { piped: true }],
    ['that is immutable gets no result', { immutable: true }, {}],
    ['that runs for each list of arguments gets no result', { each: true, immutable: true }, { each: true }],
  ])('has a step that %s', (_, step, note) => {
    expect(compile({ chain: [a, task('b', step)] }).note).toStrictEqual({ after: true, step: 1, last: true, ...note });
  });

  it('has its links at the last step', () => {
    const tree = compile({ chain: [a, b], onSuccess: [c] });
    expect(tree.note?.onSuccess).toEqual([c]);
    expect(tree.members[0]?.note).toStrictEqual({});
  });

  it('derives the id of each step from the id of the step after it, in the queue of the step', () => {
    const tree = compile({ chain: [task('a', { queue: 'y' }), task('b', { queue: 'z' }), c] });
    const second = tree.members[0];
    const first = second?.members[0];
    expect([tree.id, second?.id]).toEqual([ROOT, memberId(ROOT, 0, 'z')]);
    expect(first?.id).toBe(memberId(second?.id as string, 0, 'y'));
    expect([tree.root, second?.root, first?.root]).toEqual([ROOT, ROOT, ROOT]);
  });

  it('has the headers of the workflow in each step', () => {
    const tree = compile({ chain: [a, b] });
    expect([tree.headers, tree.members[0]?.headers]).toEqual([CONTEXT.headers, CONTEXT.headers]);
  });
});

describe('a group', () => {
  it('becomes a task that waits for the members', () => {
    const tree = compile({ group: [a, { chain: [b, c] }] });
    expect(tree).toMatchObject({
      id: ROOT,
      name: GROUP_TASK,
      args: [],
      options: { priority: 9 },
      headers: CONTEXT.headers,
      root: ROOT,
    });
    expect(shapeOf(tree)).toStrictEqual({
      name: GROUP_TASK,
      note: { group: {} },
      members: [
        { name: 'a', note: {} },
        {
          name: 'c',
          note: { after: true, step: 1, last: true, piped: true },
          members: [{ name: 'b', note: {} }],
        },
      ],
    });
  });

  it('derives the id of each member from its own id and the place of the member', () => {
    const tree = compile({ group: [a, task('b', { queue: 'y' }), { chain: [b, task('c', { queue: 'z' })] }] });
    expect(tree.members.map(({ id }) => id)).toEqual([
      memberId(ROOT, 0, 'x'),
      memberId(ROOT, 1, 'y'),
      memberId(ROOT, 2, 'z'),
    ]);
  });

  it('waits in the queue of its first member', () => {
    const [tree] = compileMembers([{ group: [task('a', { queue: 'y' }), b] }], ROOT, 0, CONTEXT);
    expect([tree?.queue, queueOfTask(tree?.id as string)]).toEqual(['y', 'y']);
  });

  it('waits in the queue of workflows when its first member is in a queue with a rate limit', () => {
    const limited = task('a', { queue: 'limited' });
    const [member] = compileMembers([{ chain: [b, { group: [limited, b] }] }], ROOT, 0, CONTEXT);
    expect([member?.queue, queueOfTask(member?.id as string)]).toEqual([WORKFLOW_QUEUE, WORKFLOW_QUEUE]);
  });

  it('without members waits for none, in the queue of the workflow', () => {
    const [tree] = compileMembers([{ group: [] }], ROOT, 0, CONTEXT);
    expect(tree).toMatchObject({ queue: 'context', members: [], note: { group: {} } });
    expect(queueOfTask(tree?.id as string)).toBe('context');
  });

  it('waits for every member only if it collects failures', () => {
    const all = compile({ group: [a, b], onFailure: 'collect' });
    expect(all.note).toStrictEqual({ group: { onFailure: 'collect' } });
    expect(all.members.map(({ onFailure }) => onFailure)).toEqual(['wait', 'wait']);
    expect(compile({ group: [a] }).members[0]).not.toHaveProperty('onFailure');
  });

  it('inside a group becomes a member of it', () => {
    expect(shapeOf(compile({ group: [{ group: [a] }, { group: [] }] })).members).toStrictEqual([
      { name: GROUP_TASK, note: { group: {} }, members: [{ name: 'a', note: {} }] },
      { name: GROUP_TASK, note: { group: {} } },
    ]);
  });

  it('has its links', () => {
    expect(compile({ group: [a], onError: [c] }).note).toStrictEqual({ group: {}, onError: [c] });
  });
});

describe('a group after another step', () => {
  it('keeps the plans of its members until the step has a result', () => {
    expect(shapeOf(compile({ chain: [a, { group: [b, c], onFailure: 'collect' }] }))).toStrictEqual({
      name: GROUP_TASK,
      note: { after: true, step: 1, last: true, group: { onFailure: 'collect', later: [b, c] as never } },
      members: [{ name: 'a', note: {} }],
    });
  });

  it('waits for that step as for any step: its failure is not collected', () => {
    expect(compile({ chain: [a, { group: [b], onFailure: 'collect' }] }).members[0]).not.toHaveProperty('onFailure');
  });

  it('keeps an empty list of plans, too', () => {
    expect(compile({ chain: [a, { group: [] }] }).note?.group).toStrictEqual({ later: [] });
  });

  it('after a group gets the list of its results', () => {
    expect(shapeOf(compile({ chain: [{ group: [a] }, { group: [b] }, c] }))).toStrictEqual({
      name: 'c',
      note: { after: true, step: 2, last: true, piped: true },
      members: [
        {
          name: GROUP_TASK,
          note: { after: true, step: 1, group: { later: [b] as never } },
          members: [{ name: GROUP_TASK, note: { group: {} }, members: [{ name: 'a', note: {} }] }],
        },
      ],
    });
  });
});

describe('a later delay', () => {
  it.each([5, { at: NOW + 5 }])('of %j is in the note, because it counts from the turn of the step', (delay) => {
    const tree = compile({ chain: [a, task('b', { delay })] });
    expect(tree).toMatchObject({ options: {}, note: { delay } });
  });
});

describe('a priority', () => {
  const urgent = (name: string, priority = 7) => task(name, { options: { priority } });
  const prioritiesOf = ({ name, options, note, members }: TaskTree): unknown[] => [
    [name, name === GROUP_TASK ? note?.priority : options.priority],
    ...members.flatMap(prioritiesOf),
  ];

  it('is passed on to later steps without one, from a group the highest of its members', () => {
    const plan: Plan = { chain: [{ group: [a, urgent('b', 3), urgent('c')] }, a, urgent('b', 0), c] };
    expect(prioritiesOf(compile(plan))).toEqual([
      ['c', 0],
      ['b', 0],
      ['a', 7],
      [GROUP_TASK, 7],
      ['a', undefined],
      ['b', 3],
      ['c', 7],
    ]);
  });

  it('of the whole is that of each task without one', () => {
    const tree = compilePlan({ chain: [a, { group: [b] }] }, ROOT, { ...CONTEXT, priority: 4 });
    expect(prioritiesOf(tree)).toEqual([
      [GROUP_TASK, 4],
      ['a', 4],
    ]);
  });
});

describe('compileMembers', () => {
  it('counts the places from those that the parent has', () => {
    const trees = compileMembers([a, { group: [b] }], ROOT, 5, CONTEXT);
    expect(trees.map(({ id }) => id)).toEqual([memberId(ROOT, 5, 'x'), memberId(ROOT, 6, 'x')]);
    expect(trees[1]?.members[0]?.id).toBe(memberId(trees[1]?.id as string, 0, 'x'));
  });
});

it('gives every task an id that leads to its queue', () => {
  const on = (queue: string) => task('a', { queue });
  const plan: Plan = { chain: [{ group: [on('p'), { chain: [on('q'), on('r')] }] }, on('s'), { group: [on('t')] }] };
  const check = (tree: TaskTree): void => {
    expect(queueOfTask(tree.id)).toBe(tree.queue);
    for (const member of tree.members) check(member);
  };
  check(compilePlan(plan, memberId('root', 0, 't'), CONTEXT));
});

it.each([
  ['collect', 'wait'],
  [undefined, undefined],
] as const)('gives a member of a group with onFailure %p the rule %p', (rule, onFailure) => {
  expect(withFailure(compile(a), rule).onFailure).toBe(onFailure);
});
