import { describe, expect, it } from '@jest/globals';
import type { Json } from '../../../lib/engine/json.js';
import { describePlan } from '../../../lib/workflows/describe-plan.js';
import type { Plan, TaskPlan } from '../../../lib/workflows/plan.js';

const task = (name: string, ...args: Json[]): TaskPlan => ({ task: name, queue: 'q', args });
const members = (count: number) => Array.from({ length: count }, (_, index) => task('a', index));

describe('the text of a plan', () => {
  it.each<[text: string, plan: Plan]>([
    ['a()', task('a')],
    ['a(1, "x", null, {"b":[true]})', task('a', 1, 'x', null, { b: [true] })],
    ['a.map([[1], [2,3]])', { ...task('a', [1], [2, 3]), each: true }],
    ['chain(a(1), b())', { chain: [task('a', 1), task('b')] }],
    ['chord(group([a(1), a(2)]), b())', { chain: [{ group: [task('a', 1), task('a', 2)] }, task('b')], chord: true }],
    ['group([a(), chain(b(), c())])', { group: [task('a'), { chain: [task('b'), task('c')] }] }],
    ['group([])', { group: [] }],
    ["group([a()], { onFailure: 'collect' })", { group: [task('a')], onFailure: 'collect' }],
    ['a()', { ...task('a'), onSuccess: [task('b')], delay: 5, headers: { secret: 'x' }, options: { attempts: 3 } }],
  ])('is %s', (text, plan) => {
    expect(describePlan(plan)).toBe(text);
  });

  it.each([
    [10, 'a(9)])'],
    [11, 'a(9), 1 more])'],
    [10_000, 'a(9), 9990 more])'],
  ])('has ten of %d members', (count, end) => {
    const text = describePlan({ group: members(count) });
    expect(text.startsWith('group([a(0), a(1), ')).toBe(true);
    expect(text.endsWith(end)).toBe(true);
  });

  it('has at most 80 characters of each argument', () => {
    expect(describePlan(task('a', 'x'.repeat(78), 1))).toBe(`a("${'x'.repeat(78)}", 1)`);
    expect(describePlan(task('a', 'x'.repeat(79), 1))).toBe(`a("${'x'.repeat(78)}…, 1)`);
  });

  it('has at most 80 characters of a list of arguments', () => {
    const text = describePlan({ ...task('a', ...Array.from({ length: 1_000 }, (_, index) => [index])), each: true });
    expect(text).toMatch(/^a\.map\(\[\[0\], \[1\], .*…\]\)$/);
    expect(text).toHaveLength('a.map([])'.length + 80);
  });
});
