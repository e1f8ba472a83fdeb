import { AsyncLocalStorage } from 'node:async_hooks';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import {
  Injectable,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import {
  chain,
  getTaskContext,
  group,
  Task,
  TaskAdmin,
  TaskContext,
  TaskFailedError,
  type TaskBatch,
  type Tasks,
} from 'nestjs-task-queue';
import { z } from 'zod';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine, type Place } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { until } from '../support/until.js';

interface Row {
  readonly tenant: string;
  readonly value: number;
}

/** What the enhancers saw. */
const seen: string[] = [];
const request = new AsyncLocalStorage<string>();

class TenantGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    seen.push(`guard ${(context.getArgs()[0] as Row).value} ${getTaskContext(context).headers['user'] ?? ''}`);
    return (context.getArgs()[0] as Row).tenant !== 'nobody';
  }
}

class DoublePipe implements PipeTransform {
  transform(row: Row): Row {
    return { ...row, value: row.value * 2 };
  }
}

class CountInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler) {
    seen.push(`interceptor ${(context.getArgs()[0] as TaskBatch<[Row]>).length}`);
    return next.handle();
  }
}

function openGate(): Gate {
  const gate = new Gate();
  gate.open();
  return gate;
}

@Injectable()
class Rows {
  /** The values of each run. */
  readonly runs: number[][] = [];
  gate = openGate();

  constructor(private readonly task: TaskContext) {}

  @Task({
    queue: 'rows',
    batch: { size: 5, wait: '1s' },
    retries: 2,
    backoff: { type: 'fixed', delay: 1, jitter: 0 },
  })
  async store(calls: TaskBatch<[Row]>): Promise<number[]> {
    const values = calls.map(({ args: [{ value }] }) => value);
    this.runs.push(values);
    await this.gate.opened;
    if (values.includes(13)) throw new Error('13 brings bad luck');
    for (const call of calls) {
      if (call.args[0].value === -1) call.fail('No negative value.');
      if (call.args[0].value === -2) call.fail(new RangeError('secret'));
      if (call.args[0].value === -3 && call.attempt === 1 && this.runs.length < 2) call.retry({ in: 1 });
    }
    return values.map((value) => value * 10);
  }

  @Task({ queue: 'tenants', batch: { size: 10, wait: '1s', key: (row: Row) => row.tenant } })
  async byTenant(calls: TaskBatch<[Row]>): Promise<void> {
    this.runs.push(calls.map(({ args: [{ value }] }) => value));
  }

  @Task({ queue: 'wrong', batch: { size: 2, wait: '1s' } })
  async wrong(_calls: TaskBatch<[number]>): Promise<number[]> {
    return [1];
  }

  @Task({ queue: 'context', batch: { size: 2, wait: '2s' } })
  async context(calls: TaskBatch<[string]>): Promise<string[]> {
    await this.task.log(`a batch of ${calls.length}`);
    const texts = ['id', 'headers', 'attempt'].map((name) => {
      try {
        return this.task[name as 'id'];
      } catch (error) {
        return (error as Error).message.slice(0, 45);
      }
    });
    return calls.map(
      ({ headers }) => `${texts.join()} ${headers['user']} ${this.task.signal.aborted} ${request.getStore()}`,
    );
  }

  @UseGuards(TenantGuard)
  @UsePipes(DoublePipe)
  @UseInterceptors(CountInterceptor)
  @Task({
    queue: 'enhanced',
    batch: { size: 2, wait: '2s' },
    schema: z.tuple([z.object({ tenant: z.string(), value: z.number().max(100) })]),
  })
  async enhanced(calls: TaskBatch<[Row]>): Promise<number[]> {
    return calls.map(({ args: [{ value }] }) => value);
  }

  @Task({ queue: 'slow', batch: { size: 2, wait: '1m' } })
  async slow(calls: TaskBatch<[number]>): Promise<void> {
    this.runs.push(calls.map(({ args: [value] }) => value));
  }

  @Task()
  one(value: number): Row {
    return { tenant: 'a', value };
  }
}

describeEachEngine('a task with batches', (engine) => {
  let booted: Booted;
  let place: Place;
  let rows: Tasks<Rows>;
  let provider: Rows;

  beforeAll(async () => {
    place = await engine.place();
    booted = await boot({ ...place, queues: { rows: { concurrency: 1 } } }, [Rows]);
    rows = booted.queue.of(Rows);
    provider = booted.app.get(Rows);
  });
  beforeEach(() => {
    provider.runs.length = 0;
    provider.gate = openGate();
    seen.length = 0;
  });
  afterAll(() => booted?.app.close());

  const row = (value: number, tenant = 'a'): [Row] => [{ tenant, value }];

  it('runs once for many calls, and each has its own result', async () => {
    const values = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    const handles = await rows.store.enqueueMany(values.map((value) => row(value)));
    expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual(values.map((value) => value * 10));
    expect(provider.runs.map(({ length }) => length)).toEqual([5, 5]);
    expect(provider.runs.flat().toSorted((one, other) => one - other)).toEqual(values);
  });

  it('lets a call fail or run again alone', async () => {
    const handles = await rows.store.enqueueMany([row(1), row(-1), row(-2), row(-3)]);
    const [one, text, error, again] = handles as [
      (typeof handles)[0],
      (typeof handles)[0],
      (typeof handles)[0],
      (typeof handles)[0],
    ];
    expect(await one.result()).toBe(10);
    await expect(text.result()).rejects.toMatchObject({
      cause: { name: 'TaskFailedError', message: 'No negative value.' },
    });
    await expect(error.result()).rejects.toMatchObject({ cause: { name: 'RangeError', message: 'secret' } });
    expect((await error.status()).attempt).toBe(1);
    expect(await again.result()).toBe(-30);
    expect((await again.status()).attempt).toBe(1);
  });

  it('retries all calls of a batch that throws, until the one that is at fault is alone', async () => {
    const handles = await rows.store.enqueueMany([row(1), row(2), row(13), row(4)]);
    const ends = await Promise.allSettled(handles.map((handle) => handle.result()));
    expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
    expect((ends[2] as PromiseRejectedResult).reason).toBeInstanceOf(TaskFailedError);
    expect(new Set(provider.runs[0])).toEqual(new Set([1, 2, 13, 4]));
    expect((await handles[2]?.status())?.attempt).toBe(3);
  });

  it('puts only calls with the same key together', async () => {
    const calls = [row(1, 'a'), row(2, 'b'), row(3, 'a'), row(4, 'b'), row(5, 'c')];
    const handles = await rows.byTenant.enqueueMany(calls);
    await Promise.all(handles.map((handle) => handle.result()));
    const runs = provider.runs.map((values) => values.toSorted((one, other) => one - other).join());
    expect(new Set(runs)).toEqual(new Set(['1,3', '2,4', '5']));
  });

  it('fails as a whole when the list has another length', async () => {
    const handles = await rows.wrong.enqueueMany([[1], [2]]);
    for (const handle of handles)
      await expect(handle.result()).rejects.toMatchObject({
        cause: {
          message: expect.stringContaining('returned 1 results for 2 calls. Return one for each call'),
        },
      });
  });

  it('has a context of its own, and adds its log lines to each call', async () => {
    const [one, two] = await request.run('of a caller', () =>
      Promise.all(['anna', 'otto'].map((user) => rows.context.with({ headers: { user } }).enqueue(user))),
    );
    expect(await one?.result()).toBe(
      `${['id', 'headers', 'attempt'].map((name) => `TaskContext.${name} belongs to one call, and a batch`.slice(0, 45)).join()} anna false undefined`,
    );
    expect(await two?.result()).toContain(' otto ');
    for (const handle of [one, two]) {
      const lines = await booted.app.get(TaskAdmin).logs(handle?.id as string);
      expect(lines.map(({ text }) => text)).toEqual(['a batch of 2']);
    }
  });

  it('runs guards, pipes and the schema for each call, and interceptors for the batch', async () => {
    const enhanced = rows.enhanced.with({ headers: { user: 'anna' } });
    const handles = await enhanced.enqueueMany([row(1), row(2, 'nobody'), row(3)]);
    const ends = await Promise.allSettled(handles.map((handle) => handle.result()));
    expect(ends).toMatchObject([{ value: 2 }, { reason: { cause: { name: 'ForbiddenException' } } }, { value: 6 }]);
    expect(seen.filter((line) => line.startsWith('guard')).toSorted()).toEqual([
      'guard 1 anna',
      'guard 2 anna',
      'guard 3 anna',
    ]);
    expect(seen.filter((line) => line.startsWith('interceptor'))).toEqual(['interceptor 2']);
    await expect(rows.enhanced.enqueue({ tenant: 'a', value: 1_000 })).rejects.toThrow('not valid');
  });

  it('leaves out a call that is cancelled before the run', async () => {
    provider.gate = new Gate();
    const blocking = await rows.store.enqueueMany([row(1), row(2), row(3), row(4), row(5)]);
    await until(() => provider.runs.length === 1);
    const [kept, cancelled] = await rows.store.enqueueMany([row(6), row(7)]);
    await cancelled?.cancel();
    await until(async () => (await cancelled?.status())?.state === 'cancelled');
    provider.gate.open();
    await Promise.all(blocking.map((handle) => handle.result()));
    expect(await kept?.result()).toBe(60);
    expect(provider.runs.slice(1)).toEqual([[6]]);
  });

  it('takes members of workflows', async () => {
    const both = group([
      rows.store.signature({ tenant: 'a', value: 1 }),
      rows.store.signature({ tenant: 'a', value: 2 }),
    ]);
    expect(await (await both.enqueue()).result()).toEqual([10, 20]);
    expect(await (await chain(rows.one.signature(4), rows.store.signature()).enqueue()).result()).toBe(40);
  });

  it('begins before a call expires', async () => {
    const handle = await rows.slow.with({ expires: '1s' }).enqueue(1);
    await handle.result({ timeout: '20s' });
    expect((await handle.status()).state).toBe('succeeded');
  });

  it('gives back what waits for a batch when the application closes', async () => {
    const handle = await rows.slow.enqueue(2);
    await until(async () => (await handle.status()).state === 'running');
    const begun = performance.now();
    await booted.app.close();
    // Far less than `wait`, and than the grace of a task that runs.
    expect(performance.now() - begun).toBeLessThan(8_000);
    if (engine.name === 'memory') return;
    booted = await boot({ ...place, role: 'producer' }, [Rows]);
    expect(provider.runs).toEqual([]);
    const status = await booted.queue.handle(handle.id).status();
    expect(status).toMatchObject({ state: 'retrying', attempt: 0 });
  });
});
