import { afterEach, beforeEach, expect, it } from '@jest/globals';
import {
  chain,
  Schedule,
  Task,
  TaskAdmin,
  TaskContext,
  TaskProcessor,
  TaskSchedules,
  type TaskBatch,
} from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine, type Place } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { until } from '../support/until.js';

/** What the methods below did, whatever the name of their class. */
class Witness {
  static ticks: string[] = [];
  static batches: number[] = [];
  static held = new Set<string>();
  static gate = new Gate();
}

/** The class as it was before it got another name. */
@TaskProcessor({ queue: 'jobs' })
class OldJobs {
  constructor(private readonly task: TaskContext) {}

  @Task({ unique: { while: 'running' } })
  once(item: string): string {
    return item;
  }

  @Task()
  pay(cents: number): number {
    return cents;
  }

  @Task({ queue: 'rows', batch: { size: 10, wait: '300ms' } })
  store(calls: TaskBatch<[number]>): number[] {
    Witness.batches.push(calls.length);
    return calls.map(({ args: [row] }) => row);
  }

  @Schedule('* * * * * *')
  @Task()
  tick(): void {
    Witness.ticks.push(this.task.headers['schedule-tick'] as string);
  }

  @Schedule({ every: '300ms' }, { overlap: 'skip' })
  @Task({ queue: 'held' })
  async hold(): Promise<void> {
    Witness.held.add(this.task.id);
    await Witness.gate.opened;
  }
}

@TaskProcessor({ queue: 'jobs' })
class Jobs {
  constructor(private readonly task: TaskContext) {}

  @Task({ unique: { while: 'running' }, aliases: ['OldJobs.once'] })
  once(item: string): string {
    return item;
  }

  @Task({ aliases: ['OldJobs.pay', 'LaterJobs.pay'] })
  pay(cents: number): number {
    return cents;
  }

  @Task({ queue: 'rows', batch: { size: 10, wait: '300ms' }, aliases: ['OldJobs.store'] })
  store(calls: TaskBatch<[number]>): number[] {
    Witness.batches.push(calls.length);
    return calls.map(({ args: [row] }) => row);
  }

  @Schedule('* * * * * *')
  @Task({ aliases: ['OldJobs.tick'] })
  tick(): void {
    Witness.ticks.push(this.task.headers['schedule-tick'] as string);
  }

  @Schedule({ every: '300ms' }, { overlap: 'skip' })
  @Task({ queue: 'held', aliases: ['OldJobs.hold'] })
  async hold(): Promise<void> {
    Witness.held.add(this.task.id);
    await Witness.gate.opened;
  }
}

describeEachEngine('a task whose class got another name', (engine) => {
  let place: Place;
  let running: Booted | undefined;

  beforeEach(async () => {
    place = await engine.place();
    Witness.ticks = [];
    Witness.batches = [];
    Witness.held = new Set();
    Witness.gate = new Gate();
  });
  afterEach(async () => {
    Witness.gate.open();
    await running?.app.close();
    running = undefined;
  });

  /** Replaces the application that runs. */
  async function start(role: 'both' | 'producer', ...classes: (new (...args: never[]) => object)[]): Promise<Booted> {
    await running?.app.close();
    running = await boot({ ...place, role, shutdown: { grace: '50ms' } }, classes);
    return running;
  }

  it('is unique together with the calls under its earlier name, and knows their idempotency keys', async () => {
    const before = (await start('producer')).queue.of(OldJobs);
    const once = await before.once.enqueue('a');
    const paid = await before.pay.with({ idempotencyKey: 'order-7' }).enqueue(500);
    const after = (await start('producer')).queue.of(Jobs);
    expect(await after.once.enqueue('a')).toMatchObject({ id: once.id, deduplicated: true });
    expect(await after.once.enqueue('b')).toMatchObject({ deduplicated: false });
    const { pay } = after;
    expect(await pay.with({ idempotencyKey: 'order-7' }).enqueue(500)).toMatchObject({
      ...{ id: paid.id, deduplicated: true },
    });
    await expect(pay.with({ idempotencyKey: 'order-7' }).enqueue(501)).rejects.toMatchObject({
      code: 'IDEMPOTENCY_CONFLICT',
    });
    const { queue } = await start('both', Jobs);
    expect(await queue.handle(once.id).result({ timeout: '15s' })).toBe('a');
    expect(await queue.handle(paid.id).result({ timeout: '15s' })).toBe(500);
  });

  it('takes the calls under both names into one batch', async () => {
    const { queue } = await start('producer');
    const rows = [await queue.of(OldJobs).store.enqueue(1), await queue.of(Jobs).store.enqueue(2)];
    const step = await chain(queue.of(OldJobs).store.signature(3), queue.of(OldJobs).pay.signature()).enqueue();
    const after = await start('both', Jobs);
    const handles = [...rows, step].map(({ id }) => after.queue.handle(id));
    expect(await Promise.all(handles.map((handle) => handle.result({ timeout: '15s' })))).toEqual([1, 2, 3]);
    expect(Witness.batches.reduce((sum, size) => sum + size, 0)).toBe(3);
    expect(Math.max(...Witness.batches)).toBeGreaterThan(1);
    const admin = after.app.get(TaskAdmin);
    const named = async (name: string) => (await admin.tasks({ name })).items.map(({ id }) => id);
    expect(await named('Jobs.store')).toEqual([rows[1]?.id]);
    expect((await named('OldJobs.store')).length).toBe(2);
  });

  it('has its schedule under the new name, paused as before, and goes on after its last tick', async () => {
    const before = await start('both', OldJobs);
    await until(() => Witness.ticks.length > 0);
    const old = before.app.get(TaskSchedules);
    await old.pause('OldJobs.tick');
    await old.upsert('kept', { task: before.queue.of(OldJobs).pay, every: '1h', args: [1] });
    const after = (await start('both', Jobs)).app.get(TaskSchedules);
    expect((await after.list()).map(({ id }) => id)).toEqual(['Jobs.hold', 'Jobs.tick', 'kept']);
    expect(await after.get('Jobs.tick')).toMatchObject({ paused: true, task: 'Jobs.tick', runs: expect.any(Number) });
    expect((await after.get('Jobs.tick'))?.lastRun).not.toBeNull();
    const ticks = Witness.ticks.length;
    await after.resume('Jobs.tick');
    await until(() => Witness.ticks.length > ticks + 1);
    expect(new Set(Witness.ticks).size).toBe(Witness.ticks.length);
    expect(await (await after.runNow('kept')).result({ timeout: '15s' })).toBe(1);
    expect(await after.remove('kept')).toBe(true);
  }, 60_000);

  it('does not run beside a run that its schedule began under the earlier name', async () => {
    await start('both', OldJobs);
    await until(() => Witness.held.size === 1);
    const after = (await start('both', Jobs)).app.get(TaskSchedules);
    const [first] = Witness.held;
    await until(async () => (await after.get('Jobs.hold'))?.lastSkip?.because === first);
    expect([...Witness.held]).toEqual([first]);
    Witness.gate.open();
    await until(() => Witness.held.size > 1);
  }, 60_000);
});
