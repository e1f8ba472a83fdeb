import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { chain, chord, group, WorkflowFailedError, type Signature, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { Maths } from '../support/maths.js';

/** A workflow as the test describes it. Every part gets an earlier result. */
type Shape =
  | { readonly kind: 'add'; readonly value: number }
  | { readonly kind: 'immutable'; readonly value: number }
  | { readonly kind: 'double' | 'sum' | 'fail' }
  | { readonly kind: 'chain'; readonly steps: readonly Shape[] }
  | { readonly kind: 'group'; readonly members: readonly Shape[]; readonly collect: boolean }
  | { readonly kind: 'chord'; readonly members: readonly Shape[]; readonly callback: Shape };

const value = fc.integer({ min: -9, max: 9 });
const task: fc.Arbitrary<Shape> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('add' as const), value }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('immutable' as const), value }) },
  { weight: 2, arbitrary: fc.constant<Shape>({ kind: 'double' }) },
  { weight: 1, arbitrary: fc.constant<Shape>({ kind: 'sum' }) },
  { weight: 1, arbitrary: fc.constant<Shape>({ kind: 'fail' }) },
);

function shapes(depth: number): fc.Arbitrary<Shape> {
  if (depth === 0) return task;
  const inner = shapes(depth - 1);
  const members = fc.array(inner, { maxLength: 4 });
  const callback = fc.oneof(fc.constant<Shape>({ kind: 'sum' }), inner);
  return fc.oneof(
    task,
    fc.record({ kind: fc.constant('chain' as const), steps: fc.array(inner, { minLength: 1, maxLength: 4 }) }),
    fc.record({ kind: fc.constant('group' as const), members, collect: fc.boolean() }),
    fc.record({ kind: fc.constant('chord' as const), members, callback }),
  );
}

/** What a shape gives in plain JavaScript; throws where a member fails. */
function evaluate(shape: Shape, input: unknown): unknown {
  switch (shape.kind) {
    case 'add':
      return (input as number) + shape.value;
    case 'immutable':
      return shape.value + shape.value;
    case 'double':
      return jsonNumber((input as number) * 2);
    case 'sum':
      return (input as number[]).reduce((sum, each) => sum + each, 0);
    case 'fail':
      throw new Error('on purpose');
    case 'chain':
      return shape.steps.reduce((result, step) => evaluate(step, result), input);
    case 'group':
      return shape.members.map((member) => (shape.collect ? collected(member, input) : evaluate(member, input)));
    case 'chord':
      return evaluate(
        shape.callback,
        shape.members.map((member) => evaluate(member, input)),
      );
  }
}

function collected(member: Shape, input: unknown): unknown {
  try {
    return { ok: true, value: evaluate(member, input) };
  } catch {
    return { ok: false, error: expect.objectContaining({ message: expect.any(String) as unknown }) as unknown };
  }
}

/** A result has to survive JSON. */
function jsonNumber(result: number): number {
  if (!Number.isFinite(result)) throw new Error('Not JSON.');
  return result;
}

function signatureOf(shape: Shape, maths: Tasks<Maths>): Signature {
  const all = (some: readonly Shape[]) => some.map((each) => signatureOf(each, maths));
  switch (shape.kind) {
    case 'add':
      return maths.add.signature(shape.value);
    case 'immutable':
      return maths.add.signature(shape.value, shape.value).immutable();
    case 'fail':
      return maths.fail.signature('on purpose').immutable();
    case 'double':
      return maths.double.signature();
    case 'sum':
      return maths.sum.signature();
    case 'chain':
      return (chain as (...steps: Signature[]) => Signature)(...all(shape.steps));
    case 'group':
      return shape.collect ? group(all(shape.members), { onFailure: 'collect' }) : group(all(shape.members));
    case 'chord':
      return chord(group(all(shape.members)) as Signature, signatureOf(shape.callback, maths));
  }
}

describeEachEngine('any workflow', (engine) => {
  let booted: Booted;
  let maths: Tasks<Maths>;

  beforeAll(async () => {
    booted = await boot({ ...(await engine.place()), queues: { default: { concurrency: 5 } } }, [Maths]);
    maths = booted.queue.of(Maths);
  });
  afterAll(() => booted.app.close());

  it('gives what it gives in memory, or fails as a whole', async () => {
    await fc.assert(
      fc.asyncProperty(shapes(3), async (shape) => {
        const whole: Signature = chain(maths.add.signature(1, 1), signatureOf(shape, maths));
        const handle = await whole.enqueue();
        let expected: { result: unknown } | undefined;
        try {
          expected = { result: evaluate(shape, 2) };
        } catch {
          // A member fails, so the whole does.
        }
        const result: Promise<unknown> = handle.result({ timeout: '20s' });
        if (expected) return expect(result).resolves.toEqual(expected.result);
        const error: unknown = await result.catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(WorkflowFailedError);
        expect(error).toMatchObject({ code: 'WORKFLOW_FAILED' });
      }),
      // Shrinking would run a failing workflow a hundred times more.
      { numRuns: engine.name === 'embedded' ? 10 : 25, endOnFailure: true },
    );
  });

  if (engine.name === 'redis') {
    it('stores a group of 10,000 within 5 s, and gives its results in order', async () => {
      const members = Array.from({ length: 10_000 }, (_, index) => maths.add.signature(index, 1));
      const start = performance.now();
      const handle = await group(members).enqueue();
      expect(performance.now() - start).toBeLessThan(5_000);
      await expect(handle.result({ timeout: '25s' })).resolves.toEqual(members.map((_, index) => index + 1));
    });
  }
});
