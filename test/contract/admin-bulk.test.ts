import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  chord,
  InvalidArgumentsError,
  Task,
  TaskAdmin,
  TaskCancelledError,
  TaskNotFoundError,
  WorkflowFailedError,
  type TaskFilter,
} from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine, type Place } from '../support/engines.js';
import { until } from '../support/until.js';

let isBroken: boolean;
let runs: string[];

@Injectable()
class Mail {
  @Task({ queue: 'mail' })
  send(to: string): string {
    runs.push(to);
    if (isBroken && to.startsWith('broken')) throw new Error('smtp');
    return to;
  }

  @Task({ queue: 'mail' })
  join(all: string[]): string {
    return all.join();
  }

  @Task({ queue: 'mail', unique: { while: 'running' } })
  once(to: string): string {
    if (isBroken) throw new Error('smtp');
    return to;
  }
}

@Injectable()
class Slow {
  @Task({ queue: 'slow' })
  wait(): void {}
}

const LATER = { delay: '1h' } as const;

describeEachEngine('TaskAdmin: many tasks', (engine) => {
  let place: Place;
  let booted: Booted;
  let admin: TaskAdmin;

  beforeAll(async () => {
    place = await engine.place();
    booted = await boot(place, [Mail, Slow]);
    admin = booted.app.get(TaskAdmin);
  });
  beforeEach(() => {
    [isBroken, runs] = [true, []];
  });
  afterAll(() => booted.app.close());

  const mail = () => booted.queue.of(Mail);

  async function failMany(names: readonly string[], run = 'any'): Promise<string[]> {
    const handles = await mail()
      .send.with({ headers: { run } })
      .enqueueMany(names.map((name) => [name]));
    await Promise.all(handles.map((handle) => handle.result().catch(() => undefined)));
    return handles.map(({ id }) => id);
  }

  const statesOf = (ids: readonly string[]) =>
    Promise.all(ids.map(async (id) => (await booted.queue.handle(id).status()).state));

  it('runs failed tasks again under their ids, once each, while their queue is paused too', async () => {
    const ids = await failMany(Array.from({ length: 30 }, (_, index) => `broken ${index}`));
    await admin.pause('mail');
    const act = await admin.retryAll({ queue: 'mail', name: 'Mail.send' }, { by: 'ada', reason: 'It is up again.' });
    expect(await act.result()).toEqual({ done: 30, refused: [], refusedCount: 0 });
    expect(await act.status()).toMatchObject({
      name: 'retryAll',
      progress: { current: 30, total: 30, isEstimate: false, done: 30, refused: 0 },
    });
    expect(new Set(await statesOf(ids))).toEqual(new Set(['queued']));
    runs = [];
    await admin.resume('mail');
    // They fail again, and are not retried again.
    await until(() => runs.length === 30);
    await until(async () => (await statesOf(ids)).every((state) => state === 'failed'));
    isBroken = false;
    expect(await (await admin.retryAll({ queue: 'mail', state: 'failed' })).result()).toMatchObject({ done: 30 });
    expect(await Promise.all(ids.map((id) => booted.queue.handle(id).result()))).toHaveLength(30);
  });

  it('tells how far it is, of how many tasks', async () => {
    const names = Array.from({ length: 12 }, (_, index) => `broken and counted ${index}`);
    const ids = await failMany(names, 'counted');
    isBroken = false;
    const act = await admin.retryAll({ queue: 'mail', header: { run: 'counted' } }, { rate: 10 });
    const progress = async () => (await act.status()).progress as Record<string, unknown> | null;
    await until(async () => (await progress())?.['isEstimate'] === true, 'the act has an estimate');
    const { current, total } = (await progress()) as { current: number; total: number };
    expect(current).toBeLessThanOrEqual(12);
    expect(total).toBeGreaterThanOrEqual(12);
    await act.result();
    await Promise.all(ids.map((id) => booted.queue.handle(id).result()));
    expect(await progress()).toEqual({ current: 12, total: 12, isEstimate: false, done: 12, refused: 0 });
  });

  it('heals a failed workflow as a whole, whichever of its tasks match', async () => {
    const { send, join } = mail();
    const flow = await chord(
      [send.signature('ok'), send.signature('broken 1'), send.signature('broken 2')],
      join.signature(),
    ).enqueue();
    await expect(flow.result()).rejects.toThrow(WorkflowFailedError);
    await until(async () => (await flow.children()).every(({ state }) => state !== 'queued' && state !== 'running'));
    isBroken = false;
    const act = await admin.retryAll({ queue: 'mail', name: 'Mail.send' });
    expect(await act.result()).toMatchObject({ done: 1, refused: [] });
    expect(await flow.result()).toBe('ok,broken 1,broken 2');
    expect(runs.filter((name) => name === 'ok')).toHaveLength(1);
  });

  it('names what it refuses', async () => {
    const failed = await mail().once.enqueue('one');
    await expect(failed.result()).rejects.toThrow('smtp');
    await admin.pause('mail');
    const equal = await mail().once.enqueue('one');
    const result = await (await admin.retryAll({ queue: 'mail', name: 'Mail.once' })).result();
    expect(result).toMatchObject({ done: 0, refused: [{ id: failed.id }], refusedCount: 1 });
    expect(result.refused[0]?.reason).toContain(equal.id);
    isBroken = false;
    await admin.resume('mail');
    await equal.result();
  });

  it('cancels what matches and has not ended, whole workflows too', async () => {
    const later = await mail()
      .send.with({ ...LATER, headers: { tenant: '7' } })
      .enqueueMany([['a'], ['b']]);
    const other = await mail().send.with(LATER).enqueue('c');
    const { send, join } = mail();
    const flow = await chord(
      [send.with(LATER).signature('d'), send.with(LATER).signature('e')],
      join.with({ headers: { tenant: '7' } }).signature(),
    ).enqueue();
    const act = await admin.cancelAll({ header: { tenant: '7' } }, { by: 'ada', reason: 'The tenant left.' });
    await act.result();
    expect(await statesOf(later.map(({ id }) => id))).toEqual(['cancelled', 'cancelled']);
    await expect(flow.result()).rejects.toThrow('The tenant left.');
    expect((await other.status()).state).toBe('scheduled');
    await admin.cancel(other.id);
  });

  it('removes the records of final tasks', async () => {
    isBroken = false;
    const ids = await failMany(['x', 'y', 'z']);
    const before = (await admin.tasks({ queue: 'mail', name: 'Mail.send', state: 'succeeded' }, { limit: 1_000 }))
      .items;
    const act = await admin.forgetAll({ queue: 'mail', name: 'Mail.send', state: 'succeeded' });
    expect((await act.result()).done).toBeGreaterThanOrEqual(3);
    expect(before.length).toBeGreaterThanOrEqual(3);
    for (const id of ids) await expect(booted.queue.handle(id).status()).rejects.toThrow(TaskNotFoundError);
  });

  it('removes what waits in a queue, and lets a workflow fail that waits for it', async () => {
    await admin.pause('slow');
    const { wait } = booted.queue.of(Slow);
    const waiting = [...(await wait.enqueueMany([[], [], []])), await wait.with(LATER).enqueue()];
    const flow = await chord([wait.signature()], mail().join.signature() as never).enqueue();
    const act = await admin.purge('slow', { by: 'ada' });
    expect(await act.result()).toMatchObject({ done: 5, refusedCount: 0 });
    for (const handle of waiting) await expect(handle.status()).rejects.toThrow(TaskNotFoundError);
    await admin.resume('slow');
    await expect(flow.result()).rejects.toThrow(WorkflowFailedError);
    await wait.enqueue().then((handle) => handle.result());
  });

  it('keeps to a rate, and stops between two steps when it is cancelled', async () => {
    await failMany(Array.from({ length: 20 }, (_, index) => `broken ${index}`));
    await admin.pause('mail');
    const act = await admin.retryAll({ queue: 'mail', name: 'Mail.send', state: 'failed' }, { rate: 2 });
    for await (const { progress } of act.updates()) if (((progress ?? {}) as { done?: number }).done) break;
    await act.cancel('Enough.');
    await expect(act.result()).rejects.toThrow(TaskCancelledError);
    const left = (await admin.tasks({ queue: 'mail', state: 'failed', name: 'Mail.send' }, { limit: 100 })).items;
    expect(left.length).toBeGreaterThan(0);
    isBroken = false;
    await admin.resume('mail');
    await (await admin.retryAll({ queue: 'mail', state: 'failed' }, { rate: 1_000 })).result();
  });

  it('refuses wrong filters and rates, and stores nothing then', async () => {
    const wrong: [() => Promise<unknown>, RegExp][] = [
      [() => admin.retryAll({ state: 'queued' }), /filter\.state is "queued"\. retryAll\(\)/],
      [() => admin.cancelAll({ state: 'failed' }), /filter\.state is "failed"/],
      [() => admin.forgetAll({ state: 'running' }), /filter\.state/],
      [() => admin.forgetAll({ runningFor: '1m' }), /filter\.runningFor/],
      [() => admin.retryAll({ qeue: 'mail' } as TaskFilter), /filter\.qeue is no condition/],
      [() => admin.retryAll({}, { rate: 0 }), /rate is 0/],
      [() => admin.retryAll({}, { rate: Number.NaN }), /rate is NaN/],
      [() => admin.purge('_workflows'), /is no queue name/],
      [() => admin.purge(undefined as unknown as string), /is no queue name/],
    ];
    for (const [call, message] of wrong) {
      await expect(call()).rejects.toThrow(InvalidArgumentsError);
      await expect(call()).rejects.toThrow(message);
    }
  });

  it('goes on in another process, and leaves alone what it has done', async () => {
    isBroken = true;
    await failMany(
      Array.from({ length: 6 }, (_, index) => `broken ${index}`),
      'moves',
    );
    await admin.pause('mail');
    const act = await admin.retryAll({ queue: 'mail', header: { run: 'moves' } }, { rate: 4 });
    for await (const { progress } of act.updates()) if (((progress ?? {}) as { done?: number }).done) break;
    await booted.app.close();
    booted = await boot(place, [Mail, Slow]);
    admin = booted.app.get(TaskAdmin);
    expect(await booted.queue.handle(act.id).result()).toEqual({ done: 6, refused: [], refusedCount: 0 });
    isBroken = false;
    await admin.resume('mail');
  });
});
