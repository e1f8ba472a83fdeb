import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  chain,
  group,
  InvalidArgumentsError,
  Task,
  TaskAdmin,
  TaskNotFoundError,
  TaskSchedules,
  type TaskHandle,
  type Tasks,
} from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { until } from '../support/until.js';

@Injectable()
class Orders {
  @Task({ queue: 'orders' })
  async ship(order: number): Promise<void> {
    throw Object.assign(new RangeError(`Order ${order} has no address`), { code: 'E_ADDRESS' });
  }

  @Task({ queue: 'orders' })
  async pay(order: number): Promise<number> {
    return order;
  }

  @Task({ queue: 'bills' })
  async bill(): Promise<void> {
    throw new Error('The printer is on fire');
  }
}

describeEachEngine('TaskAdmin.task() and errors()', (engine) => {
  let booted: Booted;
  let admin: TaskAdmin;
  let orders: Tasks<Orders>;

  beforeAll(async () => {
    booted = await boot(await engine.place(), [Orders]);
    admin = booted.app.get(TaskAdmin);
    orders = booted.queue.of(Orders);
  });
  afterAll(() => booted.app.close());

  const ended = (handle: TaskHandle) => handle.result().catch(() => undefined);

  it('shows the call and the error of a task', async () => {
    const headers = { owner: '7' };
    const expires = new Date(Date.now() + 3_600_000);
    const failed = await orders.ship.with({ headers, timeout: '5s', expires }).enqueue(17);
    await ended(failed);
    const { error, attempts, ...details } = await admin.task(failed.id);
    expect(details).toEqual({
      ...(await failed.status()),
      error: undefined,
      ...{ args: [17], headers, members: [], parent: null, schedule: null, logLength: 0 },
      options: { timeout: 5_000, expiresAt: expires.toISOString() },
    });
    expect(error).toMatchObject({ name: 'RangeError', message: 'Order 17 has no address', code: 'E_ADDRESS' });
    expect(error?.stack).toContain('Orders.ship');
    expect(attempts).toHaveLength(1);
    const delayed = await orders.pay.with({ queue: 'idle', delay: '1h', retries: 2 }).enqueue(3);
    const { enqueuedAt, options } = await admin.task(delayed.id);
    expect(options).toEqual({ attempts: 3, startAt: expect.any(String) });
    expect(Math.abs(Date.parse(options.startAt as string) - Date.parse(enqueuedAt) - 3_600_000)).toBeLessThan(10_000);
  });

  it('shows the members of a workflow, and the task that waits for a member', async () => {
    const all = await group([orders.pay.signature(1), orders.pay.signature(2)]).enqueue();
    await all.result();
    const { members, progress, parent } = await admin.task(all.id);
    expect(members.map(({ name, state }) => ({ name, state }))).toEqual([
      { name: 'Orders.pay', state: 'succeeded' },
      { name: 'Orders.pay', state: 'succeeded' },
    ]);
    expect({ progress, parent }).toEqual({ progress: { current: 2, total: 2 }, parent: null });
    const [first] = members;
    expect(await admin.task(first?.id as string)).toMatchObject({ args: [1], parent: all.id, members: [] });
    const steps = await chain(orders.pay.signature(1), orders.pay.signature()).enqueue();
    await steps.result();
    expect((await admin.task(steps.id)).members.map(({ id }) => id).at(-1)).toBe(steps.id);
  });

  it('names the schedule that enqueued a task', async () => {
    const schedules = booted.app.get(TaskSchedules);
    await schedules.upsert('nightly', { every: '1d', task: orders.pay, args: [5] });
    const run = await schedules.runNow('nightly');
    expect(await admin.task(run.id)).toMatchObject({ schedule: 'nightly', args: [5] });
  });

  it('does not know a task that is not stored', async () => {
    await expect(admin.task('orders.AAAAAAAAAAAAAAAAAAAAAA')).rejects.toThrow(TaskNotFoundError);
    await expect(admin.task('no id')).rejects.toThrow(TaskNotFoundError);
  });

  it('groups failed tasks by their errors, and finds the tasks of an error', async () => {
    const queue = 'orders';
    const before = (await admin.errors({ queue })).items[0]?.count ?? 0;
    const handles = await orders.ship.enqueueMany([[1], [22], [333]]);
    handles.push(await orders.bill.with({ queue }).enqueue());
    const cancelled = await orders.ship.with({ queue: 'idle' }).enqueue(1);
    await cancelled.cancel();
    await Promise.all(handles.map(ended));
    const { items, complete } = await admin.errors({ queue });
    expect(complete).toBe(true);
    expect(items).toMatchObject([
      { name: 'RangeError', message: 'Order <number> has no address', count: before + 3, tasks: ['Orders.ship'] },
      { name: 'Error', message: 'The printer is on fire', count: 1, tasks: ['Orders.bill'] },
    ]);
    const [shipping, printing] = items;
    expect(printing?.example).toEqual({ id: handles[3]?.id, message: 'The printer is on fire' });
    expect(printing?.first).toBe(printing?.last);
    expect(Date.parse(shipping?.first as string)).toBeLessThanOrEqual(Date.parse(shipping?.last as string));
    const found = await admin.tasks({ queue, error: printing?.fingerprint });
    expect(found.items.map(({ id }) => id)).toEqual([handles[3]?.id]);
    expect((await admin.tasks({ error: shipping?.fingerprint })).items).toHaveLength(before + 3);
  });

  it('counts the tasks of each error step by step', async () => {
    await Promise.all((await orders.ship.enqueueMany([[1], [22]])).map(ended));
    const whole = await admin.errors({ queue: 'orders', steps: 24 });
    expect(whole.items.length).toBeGreaterThan(0);
    for (const { counts = [], count } of whole.items) {
      expect(counts).toHaveLength(24);
      expect(counts.reduce((sum, one) => sum + one, 0)).toBe(count);
    }
    const first = Math.min(...whole.items.map((error) => Date.parse(error.first)));
    expect(Date.parse(whole.range?.from ?? '')).toBe(first);
    const hour = await admin.errors({ queue: 'orders', since: '1h', steps: 60 });
    expect(Date.parse(hour.range?.to ?? '') - Date.parse(hour.range?.from ?? '')).toBe(3_600_000);
    expect(hour.items[0]?.counts?.slice(0, 30)).toEqual(Array.from({ length: 30 }, () => 0));
    expect(await admin.errors({ queue: 'orders' })).not.toHaveProperty('range');
    await expect(admin.errors({ steps: 0 })).rejects.toThrow(/steps is 0/);
  });

  it('leaves out what failed earlier, and what is too much', async () => {
    const failed = await orders.bill.enqueue();
    await ended(failed);
    const at = Date.parse((await failed.status()).finishedAt as string);
    await until(() => Date.now() > at + 5);
    expect((await admin.errors({ queue: 'bills', since: at + 1 })).items).toEqual([]);
    for (const since of [at, new Date(at), new Date(at).toISOString(), '1h'])
      expect((await admin.errors({ queue: 'bills', since })).items).toMatchObject([{ count: 1 }]);
    expect((await admin.errors({ limit: 1 })).items).toHaveLength(1);
    const refused = (options: object) => admin.errors(options);
    await expect(refused({ since: 'yesterday' })).rejects.toThrow(/since is "yesterday"/);
    await expect(refused({ queue: 7 })).rejects.toThrow(InvalidArgumentsError);
    await expect(refused({ limit: 0 })).rejects.toThrow(/limit is 0/);
  });
});
