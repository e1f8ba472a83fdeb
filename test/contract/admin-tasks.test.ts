import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  chain,
  group,
  InvalidArgumentsError,
  Task,
  TaskAdmin,
  TaskContext,
  type TaskFilter,
  type TaskHandle,
  type TaskPage,
  type Tasks,
  type TaskState,
} from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachDatabase, describeEachEngine, type Place } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { storedJobs } from '../support/stored-jobs.js';
import { until } from '../support/until.js';

@Injectable()
class Work {
  /** One for each held task. */
  readonly gates = new Map<number, Gate>();

  constructor(private readonly task: TaskContext) {}

  @Task({ queue: 'work' })
  async fail(message: string): Promise<void> {
    throw new RangeError(message);
  }

  @Task({ queue: 'work', retries: 1, backoff: { type: 'fixed', delay: '1h', max: '1h' } })
  async retry(): Promise<void> {
    throw new Error('later');
  }

  @Task({ queue: 'work' })
  async echo(value: number): Promise<number> {
    return value;
  }

  /** Tasks of this queue run one by one. */
  @Task({ queue: 'slow' })
  async held(n: number): Promise<void> {
    await Promise.race([
      this.gate(n).opened,
      new Promise((_, reject) => this.task.signal.addEventListener('abort', reject)),
    ]);
  }

  gate(n: number): Gate {
    const gate = this.gates.get(n) ?? new Gate();
    this.gates.set(n, gate);
    return gate;
  }
}

/** No process takes from such a queue, so its tasks stay where they are. */
const IDLE = { queue: 'idle' };

const STATES = ['scheduled', 'queued', 'waiting', 'running', 'retrying', 'succeeded', 'failed', 'cancelled', 'expired'];

describeEachEngine('TaskAdmin.tasks()', (engine) => {
  let place: Place;
  let booted: Booted;
  let admin: TaskAdmin;
  let tasks: Tasks<Work>;
  const booting: Booted[] = [];

  beforeAll(async () => {
    place = await engine.place();
    booted = await boot({ ...place, queues: { slow: { concurrency: 1 }, urgent: { priorities: true } } }, [Work]);
    booting.push(booted);
    admin = booted.app.get(TaskAdmin);
    tasks = booted.queue.of(Work);
  });
  afterAll(async () => {
    for (const gate of booted?.app.get(Work).gates.values() ?? []) gate.open();
    await Promise.all(booting.map(({ app }) => app.close()));
  });

  const idsOf = (items: readonly { readonly id: string }[]) => items.map(({ id }) => id);

  async function pagesOf(filter: TaskFilter, limit: number): Promise<TaskPage[]> {
    const pages: TaskPage[] = [];
    for (let cursor: string | null | undefined; cursor !== null; cursor = pages.at(-1)?.cursor as string | null)
      pages.push(await admin.tasks(filter, { limit, cursor }));
    return pages;
  }

  async function ended(handles: readonly TaskHandle[]): Promise<void> {
    await Promise.all(handles.map((handle) => handle.result().catch(() => undefined)));
  }

  it('shows queued tasks in the order in which workers take them, page by page', async () => {
    const queue = 'idle-order';
    const ids: string[] = [];
    for (let n = 0; n < 25; n++) ids.push((await tasks.echo.with({ queue }).enqueue(n)).id);
    const pages = await pagesOf({ queue, state: 'queued' }, 10);
    expect(pages.map(({ items }) => items.length)).toEqual([10, 10, 5]);
    expect(pages.flatMap(({ items }) => idsOf(items))).toEqual(ids);
    expect(pages[0]).toMatchObject({ complete: true, order: 'queue-order' });
    expect(pages[0]?.items[0]).toMatchObject({ name: 'Work.echo', queue, state: 'queued', attempt: 0 });
    expect(await pagesOf({ queue, state: 'queued' }, 25)).toHaveLength(1);
    expect(idsOf((await admin.tasks({ queue })).items)).toEqual(ids);
  });

  it('shows scheduled tasks by the time at which they are due, also when that is no whole millisecond', async () => {
    const queue = 'idle-due';
    const ids: string[] = [];
    for (const delay of [7_200_000.5, 3_600_000.25, 5_400_000])
      ids.push((await tasks.echo.with({ queue, delay }).enqueue(1)).id);
    const pages = await pagesOf({ queue, state: 'scheduled' }, 1);
    expect(pages.flatMap(({ items }) => idsOf(items))).toEqual([ids[1], ids[2], ids[0]]);
  });

  it('shows failed tasks of all queues, the newest first, and neither repeats nor skips one when others fail meanwhile', async () => {
    const header = { test: 'failed' };
    const filter: TaskFilter = { state: 'failed', header };
    const failed: string[] = [];
    const fail = async (queue: string) => {
      const handle = await tasks.fail.with({ queue, headers: header }).enqueue('declined');
      await ended([handle]);
      // The times of two ends differ, so the order of the ids is certain.
      const last = Date.parse((await handle.status()).finishedAt ?? '');
      await until(() => Date.now() > last + 2);
      failed.unshift(handle.id);
    };
    for (let n = 0; n < 4; n++) for (const queue of ['work', 'slow']) await fail(queue);
    const before = [...failed];
    const first = await admin.tasks(filter, { limit: 3 });
    await fail('work');
    // The task at the end of the page leaves the list.
    await booted.queue.handle(first.items[2]?.id as string).forget();
    const second = await admin.tasks(filter, { limit: 3, cursor: first.cursor });
    const third = await admin.tasks(filter, { limit: 3, cursor: second.cursor });
    expect([first, second, third].flatMap(({ items }) => idsOf(items))).toEqual(before);
    expect(first).toMatchObject({ order: 'newest-first', complete: true });
    expect(third.cursor).toBeNull();
  });

  it('goes on behind the tasks of the page before when workers take tasks meanwhile', async () => {
    const filter: TaskFilter = { queue: 'slow', state: 'queued', name: 'Work.held' };
    const { gates } = booted.app.get(Work);
    const handles: TaskHandle[] = [];
    for (let n = 0; n < 30; n++) handles.push(await tasks.held.enqueue(n));
    await until(() => gates.has(0));
    const first = await admin.tasks(filter, { limit: 10 });
    for (let n = 0; n < 6; n++) booted.app.get(Work).gate(n).open();
    await until(() => gates.has(6));
    const second = await admin.tasks(filter, { limit: 10, cursor: first.cursor });
    // Now all tasks of the second page have left the queue.
    for (let n = 6; n < 22; n++) booted.app.get(Work).gate(n).open();
    await until(() => gates.has(22));
    const third = await admin.tasks(filter, { limit: 20, cursor: second.cursor });
    expect(idsOf(first.items)).toEqual(idsOf(handles.slice(1, 11)));
    expect(idsOf(second.items)).toEqual(idsOf(handles.slice(11, 21)));
    expect(idsOf(third.items)).toEqual(idsOf(handles.slice(23)));
    expect(third.cursor).toBeNull();
    const running = await admin.tasks({ queue: 'slow', runningFor: 0 });
    expect(idsOf(running.items)).toEqual([handles[22]?.id]);
    expect((await admin.tasks({ queue: 'slow', runningFor: '1h' })).items).toEqual([]);
    for (let n = 22; n < 30; n++) booted.app.get(Work).gate(n).open();
    await ended(handles);
  });

  it('tells states apart that share a list', async () => {
    const queue = 'idle-states';
    const idle = tasks.echo.with({ queue });
    const [queued, cancelled, scheduled] = [
      await idle.enqueue(1),
      await idle.enqueue(2),
      await tasks.echo.with({ queue, delay: '2h' }).enqueue(3),
    ];
    const expired = await tasks.echo.with({ queue, expires: 1 }).enqueue(4);
    await cancelled.cancel();
    await until(async () => (await expired.status()).state === 'expired');
    const retrying = await tasks.retry.enqueue();
    await until(async () => (await retrying.status()).state === 'retrying');
    const found = async (filter: TaskFilter) => idsOf((await admin.tasks(filter)).items);
    expect(await found({ queue, state: 'queued' })).toEqual([queued.id]);
    expect(await found({ queue, state: 'scheduled' })).toEqual([scheduled.id]);
    expect(await found({ queue, state: 'cancelled' })).toEqual([cancelled.id]);
    expect(await found({ queue, state: 'expired' })).toEqual([expired.id]);
    expect(await found({ state: 'retrying' })).toEqual([retrying.id]);
    expect((await found({ queue })).toSorted()).toEqual(
      [queued, cancelled, scheduled, expired].map(({ id }) => id).toSorted(),
    );
    expect((await admin.tasks({ queue, state: 'scheduled' })).order).toBe('due-first');
  });

  it('filters by name, headers and time of the enqueue', async () => {
    const headers = { owner: '7', tenant: 'acme' };
    const one = await tasks.echo.with({ queue: 'idle-a', headers }).enqueue(1);
    const enqueuedAt = Date.parse((await one.status()).enqueuedAt);
    await until(() => Date.now() > enqueuedAt + 5);
    const two = await tasks.retry.with({ queue: 'idle-b', headers }).enqueue();
    const second = (await two.status()).enqueuedAt;
    const of = async (filter: TaskFilter) => idsOf((await admin.tasks(filter)).items);
    expect(await of({ header: headers })).toEqual([one.id, two.id]);
    expect(await of({ header: { owner: '7' }, name: 'Work.echo' })).toEqual([one.id]);
    expect(await of({ header: { ...headers, owner: '8' } })).toEqual([]);
    expect(await of({ header: headers, enqueuedAfter: second })).toEqual([two.id]);
    expect(await of({ header: headers, enqueuedBefore: new Date(second) })).toEqual([one.id]);
    expect(await of({ header: headers, enqueuedAfter: enqueuedAt, enqueuedBefore: Date.parse(second) })).toEqual([
      one.id,
    ]);
  });

  it('finds a text in arguments, and no part of a secret', async () => {
    const queue = 'idle-args';
    const work = booted.queue.of<(order: object) => void>('Work.order');
    const one = await work.with({ queue }).enqueue({ customer: 'Ann@Example.com', password: 'hunter2' });
    const two = await work.with({ queue }).enqueue({ customer: 'bob@example.com', lines: [{ article: 'A-17' }] });
    const of = async (args: string) => idsOf((await admin.tasks({ queue, args })).items);
    expect(await of('ann@example')).toEqual([one.id]);
    expect(await of('a-17')).toEqual([two.id]);
    expect(new Set(await of('example.com'))).toEqual(new Set([one.id, two.id]));
    expect(await of('hunter')).toEqual([]);
    expect(await of('nothing like this')).toEqual([]);
  });

  it('shows a workflow as one task with `root`', async () => {
    const handle = await group([tasks.echo.signature(1), tasks.echo.signature(2)]).enqueue();
    await handle.result();
    const groups = await admin.tasks({ root: true, name: 'group of tasks' });
    expect(groups.items).toMatchObject([{ id: handle.id, state: 'succeeded', result: [1, 2] }]);
    const members = await handle.children();
    const alone = idsOf((await admin.tasks({ root: true }, { limit: 1_000 })).items);
    const all = idsOf((await admin.tasks({}, { limit: 1_000 })).items);
    for (const { id } of members) {
      expect(all).toContain(id);
      expect(alone).not.toContain(id);
    }
  });

  it('shows each task once, on a page of its state', async () => {
    const headers = { test: 'once' };
    const work = booted.app.get(Work);
    const idle = tasks.echo.with({ queue: 'idle-once', headers });
    const urgent = (priority: number) => tasks.echo.with({ queue: 'urgent', priority, headers });
    const handles: TaskHandle[] = [];
    for (let n = 0; n < 6; n++) {
      handles.push(await idle.enqueue(n), await urgent([0, 9, 3][n % 3] as number).enqueue(n));
      handles.push(
        await tasks.echo.with({ queue: n % 2 ? 'idle-once' : 'urgent', delay: `${n + 1}h`, headers }).enqueue(n),
      );
      handles.push(await idle.with({ expires: 1 }).enqueue(n));
      handles.push(await tasks.echo.with({ headers }).enqueue(n), await tasks.fail.with({ headers }).enqueue(`${n}`));
      handles.push(await tasks.retry.with({ headers }).enqueue());
      handles.push(await group([idle.signature(n), tasks.echo.with({ headers }).signature(n)]).enqueue());
      handles.push(await chain(idle.signature(n), tasks.echo.with({ headers }).signature()).enqueue());
    }
    handles.push(...(await tasks.held.with({ headers }).enqueueMany([[100], [101], [102]])));
    for (const index of [0, 1, 2]) await handles[index]?.cancel();
    const members = (await Promise.all(handles.map((handle) => handle.children()))).flat();
    const known = new Map([...handles, ...members].map((handle) => [handle.id, handle] as const));
    const named = await Promise.all(
      Array.from(known.values(), async (handle) => [handle, (await handle.status()).name] as const),
    );
    // Only calls have headers, and a group is none.
    const all = named.flatMap(([handle, name]) => (name === 'group of tasks' ? [] : [handle]));
    const states = async () =>
      Promise.all(all.map(async (handle) => [handle.id, (await handle.status()).state] as const));
    await until(() => work.gates.has(100));
    await until(async () => {
      const inWork = (await states()).filter(([id]) => id.startsWith('work.'));
      return inWork.every(([, state]) => !['queued', 'running'].includes(state));
    });
    const expected = new Map<string, string[]>();
    for (const [id, state] of await states()) expected.set(state, [...(expected.get(state) ?? []), id]);
    expect([...expected.keys()].toSorted()).toEqual(STATES.toSorted());
    for (const [state, ids] of expected) {
      const pages = await pagesOf({ state: state as TaskState, header: headers }, 4);
      const found = pages.flatMap(({ items }) => idsOf(items));
      expect([state, found.toSorted()]).toEqual([state, ids.toSorted()]);
    }
    const whole = (await pagesOf({ header: headers }, 7)).flatMap(({ items }) => idsOf(items));
    expect(whole.toSorted()).toEqual(idsOf(all).toSorted());
    for (const n of [100, 101, 102]) work.gate(n).open();
  });

  it('reads a bounded number of tasks for each page, and goes on from there', async () => {
    const queue = 'idle-many';
    await tasks.echo.with({ queue }).enqueueMany(Array.from({ length: 1_020 }, (_, n) => [n] as [number]));
    const last = await tasks.echo.with({ queue, headers: { found: 'yes' } }).enqueue(1);
    const first = await admin.tasks({ queue, header: { found: 'yes' } });
    expect(first).toMatchObject({ items: [], complete: false });
    const second = await admin.tasks({ queue, header: { found: 'yes' } }, { cursor: first.cursor });
    expect(second).toMatchObject({ items: [{ id: last.id }], complete: true, cursor: null });
    const whole = await pagesOf({ queue, state: 'queued' }, 1_000);
    expect(whole.map(({ items }) => items.length)).toEqual([1_000, 21]);
    expect(new Set(whole.flatMap(({ items }) => idsOf(items))).size).toBe(1_021);
  }, 20_000);

  it('refuses what is no filter, limit or cursor', async () => {
    await tasks.echo.with(IDLE).enqueueMany([[1], [2]]);
    const { cursor } = await admin.tasks(IDLE, { limit: 1 });
    const refused = async (filter: unknown, options?: object) => {
      const error: unknown = await admin.tasks(filter as TaskFilter, options).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(InvalidArgumentsError);
      return (error as Error).message;
    };
    expect(await refused({ status: 'failed' })).toMatch(/filter\.status is no condition\. There are: queue, state/);
    expect(await refused({ state: 'broken' })).toMatch(/filter\.state is "broken"\. Give one of: scheduled, queued/);
    expect(await refused({ queue: 'a:b' })).toMatch(/filter\.queue is "a:b"/);
    expect(await refused({ name: 7 })).toMatch(/filter\.name is 7/);
    expect(await refused({ header: { owner: 7 } })).toMatch(/filter\.header is \{"owner":7\}/);
    expect(await refused({ header: 'owner' })).toMatch(/filter\.header is "owner"/);
    expect(await refused({ error: 'Error' })).toMatch(/filter\.error is "Error"\. Give a fingerprint/);
    expect(await refused({ runningFor: 'long' })).toMatch(/filter\.runningFor is "long"/);
    expect(await refused({ runningFor: '1m', state: 'failed' })).toMatch(/filter\.state is "failed"\. Leave it out/);
    expect(await refused({ enqueuedAfter: 'yesterday' })).toMatch(/filter\.enqueuedAfter is "yesterday"/);
    expect(await refused({ root: false })).toMatch(/filter\.root is false/);
    expect(await refused('failed')).toMatch(/filter is "failed"/);
    for (const limit of [0, 1_001, 1.5, '10', null]) expect(await refused(IDLE, { limit })).toMatch(/limit is/);
    for (const forged of ['', 'x', 7, `${cursor}x`, cursor?.replace(/^./, 'Z'), `${cursor}.${cursor}`])
      expect(await refused(IDLE, { cursor: forged })).toMatch(/cursor is none of this list/);
    expect(await refused({ queue: 'work' }, { cursor })).toMatch(/cursor is none of this list/);
    expect(await refused({ ...IDLE, state: 'failed' }, { cursor })).toMatch(/cursor is none of this list/);
    expect((await admin.tasks({ queue: 'idle', state: undefined }, { limit: 1, cursor })).items).toHaveLength(1);
  });

  it('shows nothing of a queue that no process ever used', async () => {
    expect(await admin.tasks({ queue: 'unused' })).toEqual({ items: [], cursor: null, complete: true, order: 'mixed' });
  });
});

describeEachDatabase('TaskAdmin.tasks() of tasks that cannot be read', (engine) => {
  let place: Place;
  let booted: Booted;
  beforeAll(async () => {
    place = await engine.place();
    booted = await boot({ ...place, role: 'producer' });
  });
  afterAll(() => booted.app.close());

  it('shows them as failed, between the others', async () => {
    const work = booted.queue.of<(n: number) => number>('Work.any');
    const handles = await work.enqueueMany([[1], [2], [3]]);
    const stored = storedJobs(engine, place, booted);
    await stored.change(handles[1]?.id as string, engine.name === 'redis' ? { opts: '[' } : { opts: '[]' });
    const { items } = await booted.app.get(TaskAdmin).tasks({ queue: 'default' });
    expect(items.map(({ id, state }) => ({ id, state }))).toEqual(
      handles.map(({ id }, index) => ({ id, state: index === 1 ? 'failed' : 'queued' })),
    );
    await stored.close();
  });
});
