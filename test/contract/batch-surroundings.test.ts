import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Injectable, Scope, UseGuards, type CanActivate, type ExecutionContext, type Provider } from '@nestjs/common';
import {
  chain,
  chord,
  getTaskContext,
  group,
  Schedule,
  Task,
  TaskContext,
  type TaskBatch,
  type Tasks,
} from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { until } from '../support/until.js';

/** What the methods below did. */
const seen = {
  batches: [] as unknown[][],
  ids: [] as string[],
  errors: [] as { name: string; message: string }[],
  results: [] as number[],
  ticks: [] as string[],
  instances: 0,
};

@Injectable()
class Numbers {
  @Task()
  add(a: number, b = 1): number {
    return a + b;
  }

  @Task()
  sum(values: number[]): number {
    return values.reduce((sum, value) => sum + value, 0);
  }

  @Task()
  fail(): void {
    throw new TypeError('no number');
  }
}

@Injectable()
class Batches {
  constructor(private readonly task: TaskContext) {}

  @Task({ queue: 'double', batch: { size: 10, wait: '100ms' } })
  double(calls: TaskBatch<[number]>): number[] {
    seen.batches.push(calls.map(({ args: [value] }) => value));
    seen.ids.push(...calls.map(({ id }) => id));
    for (const call of calls) {
      if (call.args[0] === -1) call.fail('No negative number.');
      if (call.args[0] === -2 && call.attempt === 1 && !seen.results.includes(-2)) {
        seen.results.push(-2);
        call.retry({ in: 10 });
      }
    }
    return calls.map(({ args: [value] }) => value * 2);
  }

  @Task({ queue: 'failed', batch: { size: 10, wait: '50ms' } })
  onError(calls: TaskBatch<[{ name: string; message: string }]>): void {
    seen.errors.push(...calls.map(({ args: [error] }) => error));
  }

  @Task({ queue: 'done', batch: { size: 10, wait: '50ms' } })
  onSuccess(calls: TaskBatch<[number]>): void {
    seen.results.push(...calls.map(({ args: [result] }) => result));
  }

  @Task({ queue: 'becoming', batch: { size: 10, wait: '10ms' } })
  become(_calls: TaskBatch<[number]>): void {
    this.task.replaceWith(group([]));
  }

  @Schedule('* * * * * *', { args: ['row'] })
  @Task({ queue: 'ticking', batch: { size: 10, wait: '50ms' } })
  tick(calls: TaskBatch<[string]>): void {
    seen.ticks.push(...calls.map(({ headers }) => headers['schedule-tick'] as string));
  }
}

class UserGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return getTaskContext(context).headers['user'] !== undefined;
  }
}

abstract class Store {
  @UseGuards(UserGuard)
  @Task({ queue: 'stores', batch: { size: 10, wait: '100ms' } })
  async save(calls: TaskBatch<[string]>): Promise<string[]> {
    return calls.map(({ args: [row] }) => this.keyOf(row));
  }

  protected abstract keyOf(row: string): string;
}

/** Overrides the method of the task, which keeps its guard. */
@Injectable({ scope: Scope.REQUEST })
class SqlStore extends Store {
  constructor() {
    super();
    seen.instances++;
  }

  override async save(calls: TaskBatch<[string]>): Promise<string[]> {
    seen.batches.push(calls.map(({ args: [row] }) => row));
    return (await super.save(calls)).map((key) => `${key}!`);
  }

  protected keyOf(row: string): string {
    return `sql ${row}`;
  }
}

describeEachEngine('batches in what surrounds them', (engine) => {
  let booted: Booted;
  let numbers: Tasks<Numbers>;
  let batches: Tasks<Batches>;
  const providers: Provider[] = [Numbers, Batches, { provide: Store, useClass: SqlStore }];

  beforeAll(async () => {
    booted = await boot({ ...(await engine.place()), queues: { double: { priorities: true } } }, providers);
    numbers = booted.queue.of(Numbers);
    batches = booted.queue.of(Batches);
  });
  beforeEach(() => {
    Object.assign(seen, { batches: [], ids: [], errors: [], results: [], ticks: [], instances: 0 });
  });
  afterAll(() => booted.app.close());

  it('members of a chord are one batch, and the callback of a chord may be one too', async () => {
    const header = group([1, 2, 3].map((value) => batches.double.signature(value)));
    const summed = await chord(header, numbers.sum.signature()).enqueue();
    expect(await summed.result({ timeout: '15s' })).toBe(12);
    expect(seen.batches.map(({ length }) => length)).toEqual([3]);
    const doubled = await chord(header, chain(numbers.sum.signature(), batches.double.signature())).enqueue();
    expect(await doubled.result({ timeout: '15s' })).toBe(24);
  });

  it('map, starmap and chunks have the results in their order', async () => {
    expect(await (await batches.double.map([3, 1, 2]).enqueue()).result({ timeout: '15s' })).toEqual([6, 2, 4]);
    expect(seen.batches).toEqual([[3, 1, 2]]);
    expect(new Set(seen.ids).size).toBe(3);
    expect(await (await batches.double.chunks([[1], [2], [3]], 2).enqueue()).result({ timeout: '15s' })).toEqual([
      [2, 4],
      [6],
    ]);
    await expect((await batches.double.map([1, -1, 2]).enqueue()).result({ timeout: '15s' })).rejects.toThrow(
      'No negative number.',
    );
    // An item that runs again later is a task of its own.
    expect(await (await batches.double.map([1, -2]).enqueue()).result({ timeout: '15s' })).toEqual([2, -4]);
  });

  it('a call that fails, fails its workflow, and the callbacks are batches as well', async () => {
    const steps = chain(numbers.add.signature(1), batches.double.signature(), numbers.add.signature());
    const callbacks = { onError: batches.onError.signature(), onSuccess: batches.onSuccess.signature() };
    await numbers.fail.signature().onError(callbacks.onError).enqueue();
    await chain(batches.double.signature(-1), numbers.add.signature()).onError(callbacks.onError).enqueue();
    const good = await steps.onSuccess(callbacks.onSuccess).enqueue();
    expect(await good.result({ timeout: '15s' })).toBe(5);
    await until(() => seen.errors.length === 2 && seen.results.includes(5));
    expect(seen.errors.map(({ message }) => message).toSorted()).toEqual([
      expect.stringContaining('No negative number.'),
      'no number',
    ]);
  });

  it('a call in a workflow has its delay, its headers and its progress', async () => {
    const begun = Date.now();
    const later = batches.double.with({ delay: '700ms', headers: { user: 'otto' } }).signature();
    const whole = await chain(numbers.add.signature(1), later, numbers.add.signature()).enqueue();
    const states = new Set<string>();
    for await (const { state, progress } of whole.updates()) states.add(`${state} ${JSON.stringify(progress)}`);
    expect(Date.now() - begun).toBeGreaterThanOrEqual(650);
    expect(await whole.result()).toBe(5);
    expect([...states].some((text) => text.includes('"total":3'))).toBe(true);
  });

  it('a batch that would become another task fails with an error that says why', async () => {
    const handle = await batches.become.enqueue(1);
    await expect(handle.result({ timeout: '15s' })).rejects.toThrow(
      'TaskContext.replaceWith belongs to one call, and a batch of calls runs here.',
    );
  });

  it('a schedule makes calls of a batch, each tick once', async () => {
    await until(() => seen.ticks.length >= 2);
    expect(new Set(seen.ticks).size).toBe(seen.ticks.length);
  });

  it('a request-scoped class behind a token has a guard for each call, and an instance for each batch', async () => {
    const { save } = booted.queue.of(Store);
    const allowed = await save.with({ headers: { user: 'anna' } }).enqueueMany([['a'], ['b']]);
    const refused = await save.enqueue('c');
    expect(await Promise.all(allowed.map((handle) => handle.result({ timeout: '15s' })))).toEqual(['sql a!', 'sql b!']);
    await expect(refused.result({ timeout: '15s' })).rejects.toMatchObject({ cause: { name: 'ForbiddenException' } });
    expect(seen.batches).toEqual([['a', 'b']]);
  });
});
