import { describe, expect, it } from '@jest/globals';
import type { Json } from '../../../lib/engine/json.js';
import { describePlan } from '../../../lib/workflows/describe-plan.js';
import {
  firstQueueOf,
  fromJsonPlans,
  stepsOf,
  tasksOf,
  toJsonPlans,
  withInput,
  withLinks,
  type ChainPlan,
  type GroupPlan,
  type Plan,
  type TaskPlan,
} from '../../../lib/workflows/plan.js';

const task = (name: string, known: Partial<TaskPlan> = {}): TaskPlan => ({
  task: name,
  queue: 'q',
  args: [],
  ...known,
});
const chain = (...steps: Plan[]): ChainPlan => ({ chain: steps });
const group = (...members: Plan[]): GroupPlan => ({ group: members });
const [a, b, c, d] = [task('a'), task('b'), task('c'), task('d')];
const textOf = (plans: readonly Plan[]) => plans.map(describePlan);

describe('the steps of a plan', () => {
  it.each<[plan: Plan, steps: string[]]>([
    [a, ['a()']],
    [group(a, b), ['group([a(), b()])']],
    [chain(a, b), ['a()', 'b()']],
    [chain(chain(a, b), chain(c, d)), ['a()', 'b()', 'c()', 'd()']],
    [chain(a, chain(chain(b), c)), ['a()', 'b()', 'c()']],
    [chain(a, group(chain(b, c), d)), ['a()', 'group([chain(b(), c()), d()])']],
    [chain(), []],
  ])('of %j are %j', (plan, steps) => {
    expect(textOf(stepsOf(plan))).toEqual(steps);
  });

  it('have the links of a chain at its last step, after the own ones of the step', () => {
    const inner = withLinks(chain(a, withLinks(b, { onSuccess: [c] })), { onSuccess: [d] });
    const steps = stepsOf(withLinks(chain(inner, a), { onError: [c] }));
    expect(steps).toEqual([a, { ...b, onSuccess: [c, d] }, { ...a, onError: [c] }]);
  });
});

describe('links', () => {
  it('are added behind those that a plan has', () => {
    const first = withLinks(a, { onSuccess: [b], onError: [c] });
    expect(withLinks(first, { onSuccess: [c] })).toEqual({ ...a, onSuccess: [b, c], onError: [c] });
    expect(withLinks(first, { onError: [d] })).toEqual({ ...a, onSuccess: [b], onError: [c, d] });
  });

  it('leave a plan as it is when there are none', () => {
    expect(withLinks(a, {})).toBe(a);
  });

  it('do not change the plan itself', () => {
    const before = JSON.stringify(a);
    withLinks(a, { onSuccess: [b] });
    expect(JSON.stringify(a)).toBe(before);
  });
});

describe('an earlier result', () => {
  it.each<[what: string, plan: Plan, text: string]>([
    ['the first argument of a task', task('a', { args: [1] }), 'a(0, 1)'],
    ['the first argument of a task without arguments', a, 'a(0)'],
    ['nothing to an immutable task', task('a', { args: [1], immutable: true }), 'a(1)'],
    [
      'nothing to a task that has a list of arguments',
      task('a', { args: [[1], [2]], each: true }),
      'a.map([[1], [2]])',
    ],
    ['the first argument of the first step', chain(a, b), 'chain(a(0), b())'],
    ['the first argument of each member', group(a, b), 'group([a(0), b(0)])'],
    ['nothing to an immutable member', group(task('a', { immutable: true }), b), 'group([a(), b(0)])'],
    [
      'the first argument of all that starts first',
      chain(group(chain(a, b), c), d),
      'chain(group([chain(a(0), b()), c(0)]), d())',
    ],
    ['nothing to an empty chain', chain(), 'chain()'],
    ['nothing to an empty group', group(), 'group([])'],
  ])('becomes %s', (_, plan, text) => {
    const before = JSON.stringify(plan);
    expect(describePlan(withInput(plan, 0))).toBe(text);
    expect(JSON.stringify(plan)).toBe(before);
  });

  it.each<Json>([null, false, '', [1], { a: 1 }])('may be %j', (value) => {
    expect(withInput(task('a', { args: [1] }), value)).toMatchObject({ args: [value, 1] });
  });

  it('leaves links and the kind of the plan as they are', () => {
    const plan: Plan = { group: [a], onFailure: 'collect', onSuccess: [b], onError: [c] };
    expect(withInput(plan, 0)).toEqual({ ...plan, group: [{ ...a, args: [0] }] });
    expect(withInput({ chain: [a, b], chord: true }, 0)).toEqual({ chain: [{ ...a, args: [0] }, b], chord: true });
  });
});

it('finds every task of a plan, also those of its links', () => {
  const plan = withLinks(chain(withLinks(a, { onError: [task('e')] }), group(b, chain(c, d))), {
    onSuccess: [chain(task('f'), task('g'))],
    onError: [withLinks(task('h'), { onSuccess: [task('i')] })],
  });
  expect(Array.from(tasksOf(plan), (found) => found.task)).toEqual(['a', 'e', 'b', 'c', 'd', 'f', 'g', 'h', 'i']);
});

describe('the first queue of a plan', () => {
  const on = (queue: string) => task('a', { queue });

  it.each<[what: string, plan: Plan, queue: string | undefined]>([
    ['that of its task', on('x'), 'x'],
    ['that of the first step', chain(on('x'), on('y')), 'x'],
    ['that of the first member', group(on('x'), on('y')), 'x'],
    ['that of the first member that has a queue', group(group(), on('y')), 'y'],
    ['none for groups of nothing', chain(group(), group(group())), undefined],
    ['none for a callback', withLinks(group(), { onSuccess: [on('x')] }), undefined],
  ])('is %s', (_, plan, queue) => {
    expect(firstQueueOf(plan)).toBe(queue);
  });
});

it('comes back from the note that stores it', () => {
  const plans = [a, chain(b, group(c))];
  expect(fromJsonPlans(JSON.parse(JSON.stringify(toJsonPlans(plans))) as Json[])).toEqual(plans);
  expect(fromJsonPlans()).toEqual([]);
});
