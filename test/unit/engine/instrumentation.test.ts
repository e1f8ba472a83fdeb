import { describe, expect, it, jest } from '@jest/globals';
import { callsOf, Instrumentations, type Instrumentation, type Sending } from '../../../lib/engine/instrumentation.js';
import { InstrumentedEnqueue } from '../../../lib/engine/instrumented-enqueue.js';
import type { Outcome } from '../../../lib/engine/ports/worker-port.js';
import type { Receipt, TaskCall, TaskTree } from '../../../lib/engine/task.js';
import { deliveryOf } from '../../support/delivery.js';

const call = (id: string, headers: TaskCall['headers'] = {}): TaskCall => ({
  id,
  name: 'Mail.send',
  queue: 'mail',
  args: [],
  headers,
  options: {},
});
const tree = (id: string, members: readonly TaskTree[] = [], headers: TaskCall['headers'] = {}): TaskTree => ({
  ...call(id, headers),
  members,
});
const receipt = ({ id }: TaskCall): Receipt => ({ id, deduplicated: false, state: 'queued' });

/** A port that remembers what it stores, inside of these instrumentations. */
function portWith(...all: Instrumentation[]) {
  const instrumentations = new Instrumentations();
  for (const one of all) instrumentations.add(one);
  const next = {
    now: () => 7,
    isStored: async () => true,
    enqueue: jest.fn(async (calls: readonly TaskCall[]) => calls.map(receipt)),
    enqueueTree: jest.fn(async (root: TaskTree) => receipt(root)),
  };
  return { next, port: new InstrumentedEnqueue(next, instrumentations), instrumentations };
}

/** Sets headers, and remembers the sendings. */
function setting(headers: Record<string, string | undefined>) {
  const sendings: Sending[] = [];
  const store: Required<Instrumentation>['store'] = (sending, next) => {
    sendings.push(sending);
    return next(headers);
  };
  return { store, sendings };
}

describe('without an instrumentation', () => {
  it('calls reach the port as they are', async () => {
    const { next, port } = portWith();
    const calls = [call('a')];
    const root = tree('r');
    const members = [tree('m')];
    expect(await port.enqueue(calls)).toEqual([receipt(call('a'))]);
    await port.enqueueTree(root);
    expect(next.enqueue.mock.calls[0]?.[0]).toBe(calls);
    expect(next.enqueueTree.mock.calls[0]?.[0]).toBe(root);
    expect(port.membersOf(deliveryOf(), members)).toBe(members);
    expect([port.now(), await port.isStored(call('a'))]).toEqual([7, true]);
  });

  it('no promise is added to that of the port', () => {
    const { next, port } = portWith({ run: (_, run) => run() });
    const stored = port.enqueue([call('a')]);
    expect(stored).toBe(next.enqueue.mock.results[0]?.value);
  });
});

describe('an instrumentation of stored calls', () => {
  it('sees a bulk once, and sets the headers of each call', async () => {
    const { sendings, ...one } = setting({ trace: 't', gone: undefined });
    const { next, port } = portWith(one);
    const calls = [call('a', { tenant: 'x', trace: 'old' }), call('b', { gone: '1' })];
    expect(await port.enqueue(calls)).toEqual(calls.map(receipt));
    expect(sendings).toEqual([{ calls }]);
    expect(next.enqueue.mock.calls[0]?.[0].map(({ headers }) => headers)).toEqual([
      { tenant: 'x', trace: 't' },
      { trace: 't' },
    ]);
  });

  it('sees a workflow once, and sets the headers of all its tasks', async () => {
    const { sendings, ...one } = setting({ trace: 't' });
    const { next, port } = portWith(one);
    const root = tree('r', [tree('m', [tree('n')]), tree('o')]);
    const cause = deliveryOf();
    await port.enqueueTree(root, cause);
    expect(sendings).toEqual([{ calls: [root], cause }]);
    expect(callsOf(sendings[0] as Sending).map(({ id }) => id)).toEqual(['r', 'm', 'n', 'o']);
    const stored = next.enqueueTree.mock.calls[0]?.[0] as TaskTree;
    expect(callsOf({ calls: [stored] }).map(({ headers }) => headers)).toEqual(
      callsOf({ calls: [root] }).map(() => ({ trace: 't' })),
    );
  });

  it('sees the members that a running task gets', async () => {
    const { sendings, ...one } = setting({ trace: 't' });
    const { port } = portWith(one);
    const cause = deliveryOf();
    const members = await port.membersOf(cause, [tree('m', [], { a: '1' })]);
    expect(members).toEqual([tree('m', [], { a: '1', trace: 't' })]);
    expect(sendings).toEqual([{ calls: [tree('m', [], { a: '1' })], cause }]);
    expect(await port.membersOf(cause, [])).toEqual([]);
    expect(sendings).toHaveLength(1);
  });

  it('is inside of those that were added before, and its headers take precedence', async () => {
    const { next, port } = portWith(setting({ a: 'outer', b: 'outer' }), setting({ a: 'inner' }));
    await port.enqueue([call('a')]);
    expect(next.enqueue.mock.calls[0]?.[0][0]?.headers).toEqual({ a: 'inner', b: 'outer' });
  });

  it('gets the error of the port', async () => {
    const seen: unknown[] = [];
    const { next, port } = portWith({
      store: (_, store) =>
        store({}).catch((error: unknown) => {
          seen.push(error);
          throw error;
        }),
    });
    const error = new Error('full');
    next.enqueue.mockRejectedValueOnce(error);
    await expect(port.enqueue([call('a')])).rejects.toBe(error);
    expect(seen).toEqual([error]);
  });
});

it('instrumentations of attempts are around the run, the first one outermost', async () => {
  const steps: string[] = [];
  const named = (name: string): Instrumentation => ({
    run: async (_, next) => {
      steps.push(`${name} begins`);
      const outcome = await next();
      steps.push(`${name} ends`);
      return outcome;
    },
  });
  const { instrumentations } = portWith(named('a'), named('b'));
  expect([instrumentations.ignoresRuns, instrumentations.ignoresCalls]).toEqual([false, true]);
  const outcome: Outcome = { kind: 'succeeded', result: 1 };
  const run = async () => {
    steps.push('run');
    return outcome;
  };
  expect(await instrumentations.run(deliveryOf(), run)).toBe(outcome);
  expect(steps).toEqual(['a begins', 'b begins', 'run', 'b ends', 'a ends']);
});
