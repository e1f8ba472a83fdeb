import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { Inject, Injectable, Module, Scope, type Provider } from '@nestjs/common';
import { LazyModuleLoader, REQUEST } from '@nestjs/core';
import {
  chain,
  defineTask,
  group,
  OnTask,
  Task,
  TaskContext,
  TaskProcessor,
  TaskQueue,
  TaskSchedules,
  type TaskEvent,
  type Tasks,
} from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachDatabase, describeEachEngine, type Place } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { LogLines } from '../support/log-lines.js';
import { storedJobs } from '../support/stored-jobs.js';
import { until } from '../support/until.js';

const charge = defineTask<(cents: number) => number>('billing.charge', { queue: 'billing' });

@TaskProcessor({ backoff: { type: 'fixed', delay: 5, jitter: 0 } })
class Work {
  constructor(private readonly task: TaskContext) {}

  @Task({ retries: 1 })
  async run(failures: number): Promise<number> {
    if (this.task.attempt <= failures) throw Object.assign(new RangeError('no luck'), { code: 'LUCK' });
    return failures;
  }

  @Task()
  async later(): Promise<void> {
    if (seen.has(this.task.id)) return;
    seen.add(this.task.id);
    this.task.retry({ in: 5 });
  }

  @Task()
  async hang(): Promise<void> {
    running.open();
    await new Promise((_, reject) => this.task.signal.addEventListener('abort', () => reject(new Error('aborted'))));
  }
}

@Injectable()
class Billing {
  @Task(charge)
  charge(cents: number): number {
    return cents;
  }
}

const seen = new Set<string>();
let running = new Gate();

interface Heard {
  readonly in: string;
  readonly event: TaskEvent;
}

/** All events of the applications of a suite, with the application that heard each. */
class Ears {
  readonly heard: Heard[] = [];

  /** A provider that hears everything in the application of this name. */
  in(name: string) {
    const { heard } = this;
    @Injectable()
    class Everything {
      @OnTask(['enqueued', 'started', 'succeeded', 'retrying', 'failed', 'cancelled', 'expired', 'lost'])
      protected on(event: TaskEvent): void {
        heard.push({ in: name, event });
      }
    }
    return Everything;
  }

  of(id: string): Heard[] {
    return this.heard.filter(({ event }) => event.id === id);
  }

  /** The types of a task's events, each with the application, once the last one is heard. */
  async typesOf(id: string, last: TaskEvent['type']): Promise<string[]> {
    await until(() => this.of(id).some(({ event }) => event.type === last));
    return this.of(id).map((each) => `${each.in} ${each.event.type}`);
  }

  event<T extends TaskEvent['type']>(id: string, type: T): TaskEvent<T> {
    return this.of(id).find(({ event }) => event.type === type)?.event as TaskEvent<T>;
  }
}

describeEachEngine('the events of tasks', (engine) => {
  const ears = new Ears();
  let worker: Booted;
  let web: Booted;
  let work: Tasks<Work>;
  let caller = 'web';
  let place: Place;

  beforeAll(async () => {
    place = await engine.place();
    worker = await boot({ ...place, queues: { default: { concurrency: 5 } } }, [Work, Billing, ears.in('worker')]);
    if (engine.name === 'embedded') [web, caller] = [worker, 'worker'];
    else web = await boot({ ...place, role: 'producer' }, [ears.in('web')]);
    work = web.queue.of(Work);
  });
  afterAll(() => Promise.all([web?.app.close(), worker?.app.close()]));

  it('are told once, where the change was stored, with everything that is known of the task', async () => {
    const { id } = await work.run.with({ headers: { tenant: 'acme' } }).enqueue(1);
    // The next attempt may begin before the answer to the end of the first one is here.
    await until(() => ears.of(id).length === 5);
    expect((await ears.typesOf(id, 'succeeded')).toSorted()).toEqual(
      [`${caller} enqueued`, 'worker started', 'worker retrying', 'worker started', 'worker succeeded'].toSorted(),
    );
    const common = { id, name: 'Work.run', queue: 'default', headers: { tenant: 'acme' } };
    const number = expect.any(Number);
    expect(ears.event(id, 'enqueued')).toMatchObject({
      ...common,
      ...{ attempt: 0, wait: null, duration: null, status: { id, state: 'queued', maxAttempts: 2, startedAt: null } },
    });
    const state = (name: string) => expect.objectContaining({ id, state: name });
    expect(ears.event(id, 'started')).toEqual({
      ...common,
      ...{ type: 'started', attempt: 1, wait: number, duration: null, status: state('running') },
    });
    expect(ears.event(id, 'retrying')).toMatchObject({
      ...common,
      ...{ attempt: 1, wait: number, duration: number, status: { state: 'retrying', error: { code: 'LUCK' } } },
      error: { name: 'RangeError', message: 'no luck', code: 'LUCK', stack: expect.stringContaining('task-events') },
    });
    expect(ears.event(id, 'succeeded')).toEqual({
      ...common,
      ...{ type: 'succeeded', attempt: 2, wait: number, duration: number, status: state('succeeded') },
    });
    expect(ears.event(id, 'succeeded').status).toEqual(await web.queue.handle(id).status());
    for (const { event } of ears.of(id)) {
      expect(event.wait ?? 0).toBeGreaterThanOrEqual(0);
      expect(event.duration ?? 0).toBeLessThan(60_000);
    }
  });

  it('end with `failed` once no attempt is left', async () => {
    const { id } = await work.run.enqueue(9);
    await until(() => ears.of(id).length === 5);
    expect((await ears.typesOf(id, 'failed')).toSorted()).toEqual(
      [`${caller} enqueued`, 'worker started', 'worker retrying', 'worker started', 'worker failed'].toSorted(),
    );
    expect(ears.event(id, 'failed')).toMatchObject({
      ...{ attempt: 2, duration: expect.any(Number), wait: expect.any(Number) },
      ...{ error: { name: 'RangeError', message: 'no luck', code: 'LUCK' }, status: { state: 'failed' } },
    });
  });

  it('have no error when a task asks for another run', async () => {
    const { id } = await work.later.enqueue();
    await until(() => ears.of(id).length === 5);
    expect(ears.event(id, 'retrying').error).toBeUndefined();
    expect(ears.of(id).filter(({ event }) => event.type === 'started')).toHaveLength(2);
  });

  it('of a cancel are told by the caller, or by the worker when it ran the task', async () => {
    const waiting = await work.run.with({ delay: '1h' }).enqueue(0);
    await Promise.all([waiting.cancel('enough'), waiting.cancel('enough'), web.queue.handle(waiting.id).cancel()]);
    expect(await ears.typesOf(waiting.id, 'cancelled')).toEqual([`${caller} enqueued`, `${caller} cancelled`]);
    expect(ears.event(waiting.id, 'enqueued').status.state).toBe('scheduled');
    expect(ears.event(waiting.id, 'cancelled')).toMatchObject({
      ...{ wait: null, duration: null, status: { state: 'cancelled' } },
      error: { name: 'TaskCancelledError', code: 'TASK_CANCELLED' },
    });

    running = new Gate();
    const { id } = await work.hang.enqueue();
    await running.opened;
    await web.queue.handle(id).cancel('stop it');
    await ears.typesOf(id, 'cancelled');
    expect(ears.event(id, 'cancelled')).toMatchObject({
      ...{ attempt: 1, wait: expect.any(Number), duration: expect.any(Number), error: { message: 'stop it' } },
    });
    expect(ears.of(id).find(({ event }) => event.type === 'cancelled')?.in).toBe('worker');
    // The worker has cleared the first task away meanwhile, without a second event.
    expect(ears.of(waiting.id)).toHaveLength(2);
  });

  it('tell that a task expired', async () => {
    const { id } = await work.run.with({ delay: 30, expires: 10 }).enqueue(0);
    expect(await ears.typesOf(id, 'expired')).toEqual([`${caller} enqueued`, 'worker expired']);
    expect(ears.event(id, 'expired')).toMatchObject({ wait: null, duration: null, error: { code: 'TASK_EXPIRED' } });
  });

  it('leave out a call that an earlier task stands for', async () => {
    const once = work.run.with({ idempotencyKey: 'one', delay: '1h' });
    const [first, second] = [await once.enqueue(0), await once.enqueue(0)];
    expect([second.id, second.deduplicated]).toEqual([first.id, true]);
    await ears.typesOf(first.id, 'enqueued');
    const { id } = await work.run.with({ delay: '1h' }).enqueue(0);
    await ears.typesOf(id, 'enqueued');
    expect(ears.of(first.id)).toHaveLength(1);
  });

  it('are told of each call of a bulk, and of each member of a workflow', async () => {
    const handles = await work.run.enqueueMany(Array.from({ length: 120 }, () => [0] as [number]));
    for (const { id } of handles) {
      await ears.typesOf(id, 'succeeded');
      expect(ears.of(id).filter(({ event }) => event.type === 'enqueued')).toHaveLength(1);
    }
    const flow = await chain(
      work.run.signature(0),
      group([work.run.signature(0).immutable(), work.run.signature(1).immutable()]),
    ).enqueue();
    await flow.result({ timeout: '20s' });
    const members = (await flow.children()).map(({ id }) => id);
    for (const id of members) if (!id.startsWith('_')) await ears.typesOf(id, 'succeeded');
    expect(ears.heard.filter(({ event }) => event.queue.startsWith('_'))).toEqual([]);
  });

  it('of the runs of a schedule are told once, although every process enqueues them', async () => {
    const two = engine.name === 'embedded' ? worker : await boot(place, [Work, ears.in('two')]);
    try {
      const schedules = worker.app.get(TaskSchedules);
      await schedules.upsert('ticks', { task: work.run, args: [0], every: 200 });
      const enqueued = () =>
        ears.heard.flatMap(({ event }) =>
          event.type === 'enqueued' && event.headers['schedule'] === 'ticks' ? [event.id] : [],
        );
      await until(() => enqueued().length >= 4);
      await schedules.remove('ticks');
      expect(enqueued()).toEqual([...new Set(enqueued())]);
    } finally {
      if (two !== worker) await two.app.close();
    }
  });
});

@Injectable()
class Faulty {
  readonly gate = new Gate();

  @OnTask('succeeded')
  throws(): void {
    throw 'a text';
  }

  @OnTask('succeeded')
  async rejects(): Promise<void> {
    throw Object.assign(new Error('no'), { toString: null });
  }

  @OnTask('succeeded')
  async hangs(): Promise<void> {
    await this.gate.opened;
  }
}

const heard: string[] = [];

@Injectable()
class Enqueuer {
  constructor(private readonly queue: TaskQueue) {}

  @OnTask('enqueued')
  async again({ id }: TaskEvent<'enqueued'>): Promise<void> {
    heard.push(`again ${id}`);
    const { id: own } = await this.queue.of(Work).run.enqueue(0);
    heard.push(`enqueued ${own}`);
  }
}

@Injectable()
class Audit {
  @OnTask('enqueued')
  note({ id }: TaskEvent<'enqueued'>): void {
    heard.push(`audit ${id}`);
  }
}

@Injectable({ scope: Scope.REQUEST })
class Scoped {
  static readonly seen: [instance: Scoped, request: unknown, event: TaskEvent][] = [];

  constructor(@Inject(REQUEST) private readonly request: unknown) {}

  @OnTask('succeeded', { task: charge })
  on(event: TaskEvent<'succeeded'>): void {
    Scoped.seen.push([this, this.request, event]);
  }
}

abstract class Base {
  readonly names: string[] = [];

  @OnTask('succeeded', { task: Work })
  inherited(event: TaskEvent<'succeeded'>): void {
    this.names.push(`inherited ${event.name}`);
  }

  @OnTask('succeeded', { queue: 'billing' })
  overridden(event: TaskEvent<'succeeded'>): void {
    this.names.push(`base ${event.name}`);
  }
}

@Injectable()
class First extends Base {}

@Injectable()
class Second extends Base {
  override overridden(event: TaskEvent<'succeeded'>): void {
    this.names.push(`second ${event.name}`);
  }
}

@Injectable()
class Late {
  readonly names: string[] = [];

  @OnTask(['succeeded', 'failed'], { task: 'billing.charge', queue: 'billing' })
  on({ name }: TaskEvent): void {
    this.names.push(name);
  }
}

describeEachEngine('the methods with @OnTask()', (engine) => {
  let place: Place;
  let opened: Booted | undefined;
  beforeAll(async () => {
    place = await engine.place();
  });
  afterEach(() => opened?.app.close());

  async function start(providers: Provider[], log: LogLines | false = false): Promise<Booted> {
    opened = await boot(place, [Work, Billing, ...providers], log);
    return opened;
  }

  it('hurt neither tasks nor the end of the application, whatever they do', async () => {
    const log = new LogLines();
    const { app, queue } = await start([Faulty], log);
    const handles = await queue.of(Work).run.enqueueMany(Array.from({ length: 30 }, () => [0] as [number]));
    expect(await Promise.all(handles.map((handle) => handle.result({ timeout: '20s' })))).toEqual(handles.map(() => 0));
    const id = handles[0]?.id as string;
    await until(() => log.lines.filter((line) => line.includes(id)).length === 2);
    expect(log.lines.filter((line) => line.includes(id)).toSorted()).toEqual([
      `ERROR Listener Faulty.rejects failed on "succeeded" of task Work.run (${id}): no`,
      `ERROR Listener Faulty.throws failed on "succeeded" of task Work.run (${id}): a text`,
    ]);
    await app.close();
    expect(log.lines.at(-1)).toBe(
      'WARN Closing no longer waits for listeners that have not ended after 1000 ms: Faulty.hangs (30 events).',
    );
    app.get(Faulty).gate.open();
  });

  it('hear nothing of what they enqueue themselves, others do', async () => {
    heard.length = 0;
    const { queue } = await start([Enqueuer, Audit]);
    const { id } = await queue.of(Work).run.enqueue(0);
    await until(() => heard.length === 4);
    const own = heard.find((line) => line.startsWith('enqueued'))?.slice('enqueued '.length) as string;
    await queue.handle(own).result({ timeout: '20s' });
    expect(heard.toSorted()).toEqual([`again ${id}`, `audit ${id}`, `audit ${own}`, `enqueued ${own}`].toSorted());
  });

  it('of request-scoped providers have an instance for each event', async () => {
    Scoped.seen.length = 0;
    const { queue } = await start([Scoped]);
    await queue.of(Work).run.enqueue(0);
    await queue.of(charge).enqueue(1);
    await queue.of(charge).enqueue(2);
    await until(() => Scoped.seen.length === 2);
    expect(Scoped.seen.map(([, , event]) => Number(event.status.result)).toSorted((a, b) => a - b)).toEqual([1, 2]);
    expect(new Set(Scoped.seen.map(([instance]) => instance)).size).toBe(2);
    for (const [, request, event] of Scoped.seen) expect(request).toBe(event);
  });

  it('are inherited, and belong to each class and to lazily loaded modules', async () => {
    const { app, queue } = await start([
      First,
      Second,
      { provide: Base, useExisting: First },
      { provide: 'x', useExisting: First },
    ]);
    await queue.of(Work).run.enqueue(0);
    await queue.of(charge).enqueue(1);
    const [first, second] = [app.get(First).names, app.get(Second).names];
    await until(() => first.length === 2 && second.length === 2);

    @Module({ providers: [Late] })
    class LateModule {}
    const module = await app.get(LazyModuleLoader).load(() => LateModule);
    await queue.of(charge).enqueue(2);
    await queue.of(Work).run.enqueue(0);
    await until(() => module.get(Late).names.length === 1 && first.length === 4 && second.length === 4);
    expect(first.toSorted()).toEqual([
      'base billing.charge',
      'base billing.charge',
      'inherited Work.run',
      'inherited Work.run',
    ]);
    expect(second).toContain('second billing.charge');
    expect(module.get(Late).names).toEqual(['billing.charge']);
  });
});

describeEachDatabase('a task whose worker gives no sign of life', (engine) => {
  let booted: Booted;
  afterAll(() => booted.app.close());

  it('is lost, as the process tells that takes it away', async () => {
    running = new Gate();
    const ears = new Ears();
    const place = await engine.place();
    booted = await boot({ ...place, abandonedAfter: '1s' }, [Work, ears.in('worker')]);
    const { id } = await booted.queue.of(Work).hang.enqueue();
    await running.opened;
    running = new Gate();
    // As the job of a process that died: another process, or none, has the lock.
    const stored = storedJobs(engine, place, booted);
    if (engine.name === 'redis') await stored.command(id, 'DEL', 'KEY:lock');
    else await stored.change(id, { lock_token: 'gone', locked_until_ms: '1' });
    await running.opened;
    await stored.close();
    await booted.queue.handle(id).cancel();
    await until(() => ears.of(id).length === 5);
    expect((await ears.typesOf(id, 'cancelled')).toSorted()).toEqual(
      ['worker enqueued', 'worker started', 'worker lost', 'worker started', 'worker cancelled'].toSorted(),
    );
    expect(ears.event(id, 'lost')).toMatchObject({ name: 'Work.hang', attempt: 1, duration: null });
  });
});
