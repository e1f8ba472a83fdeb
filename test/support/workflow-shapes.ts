import fc from 'fast-check';

/** A test's description of a workflow, as JSON. Every part takes an earlier result as its input. */
export type Shape =
  | { readonly kind: 'add' | 'immutable'; readonly value: number }
  | { readonly kind: Exclude<Step, 'add'> | 'flaky' | 'fail' }
  /** The items with negative values replace themselves. */
  | { readonly kind: 'map'; readonly values: readonly number[] }
  | { readonly kind: 'chunks'; readonly values: readonly number[]; readonly size: number }
  /** A workflow with options that do not change its result. */
  | { readonly kind: 'with'; readonly of: Shape; readonly options: ShapeOptions }
  /** A task that replaces itself by this workflow. */
  | { readonly kind: 'become'; readonly of: Shape }
  /** A workflow with a link: a task that gets the result or the error, and this tag. */
  | { readonly kind: 'linked'; readonly of: Shape; readonly tag: string }
  | { readonly kind: 'chain'; readonly steps: readonly Shape[] }
  | { readonly kind: 'group'; readonly members: readonly Shape[]; readonly collect: boolean }
  | { readonly kind: 'chord'; readonly members: readonly Shape[]; readonly callback: Shape };

/** Milliseconds, and a priority. */
export interface ShapeOptions {
  readonly delay?: number;
  /** The delay is the time so many milliseconds after the test built the workflow. */
  readonly startIn?: number;
  readonly priority?: number;
}

/**
 * The work of the tasks. The tasks and the evaluation in plain JavaScript share it, so both fail for the same input.
 */
export const STEPS = {
  add: (input: unknown, value: number): unknown => (input as number) + value,
  double: (input: unknown): unknown => (input as number) * 2,
  sum: (input: unknown): unknown => (input as number[]).reduce((sum, each) => sum + each, 0),
  text: (input: unknown): unknown => String(input),
  wrap: (input: unknown): unknown => ({ value: input }),
  nothing: (): unknown => null,
};
type Step = keyof typeof STEPS;

const value = fc.integer({ min: -9, max: 9 });
const values = fc.array(value, { maxLength: 5 });
const task: fc.Arbitrary<Shape> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('add' as const), value }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('immutable' as const), value }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constantFrom('double', 'text', 'wrap', 'nothing', 'flaky') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('sum', 'fail') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('map' as const), values }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('chunks' as const), values, size: fc.integer({ min: 1, max: 3 }) }),
  },
);

/** Milliseconds: most workflows of a property start at once, and none waits long. */
const wait = fc.integer({ min: 0, max: 60 });
const options: fc.Arbitrary<ShapeOptions> = fc.oneof(
  fc.record({ delay: wait }),
  fc.record({ startIn: wait }),
  fc.record({ priority: fc.nat(9) }),
  fc.record({ delay: wait, priority: fc.nat(9) }),
);

/** Random workflows as {@link shapes} gives them, with delays, dates and priorities. */
export function timedShapes(depth: number): fc.Arbitrary<Shape> {
  return shapes(depth, (inner) => [fc.record({ kind: fc.constant('with' as const), of: inner, options })]);
}

/**
 * Random workflows with at most `depth` levels of nesting.
 *
 * @param more makes further kinds around workflows of a smaller depth
 */
export function shapes(
  depth: number,
  more: (inner: fc.Arbitrary<Shape>) => fc.Arbitrary<Shape>[] = () => [],
): fc.Arbitrary<Shape> {
  if (depth === 0) return task;
  const inner = shapes(depth - 1, more);
  const members = fc.array(inner, { maxLength: 4 });
  const callback = fc.oneof(fc.constant<Shape>({ kind: 'sum' }), inner);
  return fc.oneof(
    task,
    ...more(inner),
    fc.record({ kind: fc.constant('become' as const), of: inner }),
    fc.record({ kind: fc.constant('linked' as const), of: inner, tag: fc.constant('') }),
    fc.record({ kind: fc.constant('chain' as const), steps: fc.array(inner, { minLength: 1, maxLength: 4 }) }),
    fc.record({ kind: fc.constant('group' as const), members, collect: fc.boolean() }),
    fc.record({ kind: fc.constant('chord' as const), members, callback }),
  );
}

/** A copy of the shape in which every link has a tag of its own: `<name>.0`, `<name>.1`, … */
export function tagged(shape: Shape, name: string): Shape {
  let count = 0;
  const visit = (at: Shape): Shape => {
    switch (at.kind) {
      case 'linked':
        return { ...at, tag: `${name}.${count++}`, of: visit(at.of) };
      case 'become':
      case 'with':
        return { ...at, of: visit(at.of) };
      case 'chain':
        return { ...at, steps: at.steps.map(visit) };
      case 'group':
        return { ...at, members: at.members.map(visit) };
      case 'chord':
        return { ...at, members: at.members.map(visit), callback: visit(at.callback) };
      default:
        return at;
    }
  };
  return visit(shape);
}
