import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  ActRefusedError,
  chain,
  InvalidArgumentsError,
  NotSerializableError,
  PayloadTooLargeError,
  Task,
  TaskAdmin,
  TaskNotFoundError,
} from 'nestjs-task-queue';
import { z } from 'zod';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { Recorder } from '../support/recorder.js';

let starts: Recorder<string>;
let gate: Gate;
let isBroken: boolean;

@Injectable()
class Mail {
  @Task({ queue: 'mail', retries: 1, backoff: { type: 'fixed', delay: '1h', jitter: 0 } })
  async send(to: string): Promise<string> {
    starts.record(to);
    if (to === 'wait') await gate.opened;
    if (to === 'broken' && isBroken) throw new Error('smtp');
    return to;
  }

  @Task({ queue: 'mail', schema: z.tuple([z.string().email()]) })
  checked(to: string): string {
    return to;
  }

  @Task({ queue: 'mail', unique: { while: 'pending' } })
  once(to: string): string {
    return to;
  }

  @Task({ queue: 'mail' })
  fails(): void {
    starts.record('fails');
    throw new Error('always');
  }

  @Task({ queue: 'urgent', priority: 1 })
  async sort(to: string): Promise<void> {
    starts.record(to);
    if (to === 'wait') await gate.opened;
  }
}

const RARE = { delay: '1h' } as const;

describeEachEngine('TaskAdmin: one task', (engine) => {
  let booted: Booted;
  let admin: TaskAdmin;

  beforeAll(async () => {
    const queues = { mail: { concurrency: 2 }, urgent: { concurrency: 1, priorities: true } };
    booted = await boot({ ...(await engine.place()), queues, maxPayload: 1_000 }, [Mail]);
    admin = booted.app.get(TaskAdmin);
  });
  beforeEach(() => {
    [starts, gate, isBroken] = [new Recorder(), new Gate(), true];
  });
  afterAll(() => booted.app.close());

  const mail = () => booted.queue.of(Mail);

  it('retries, cancels and forgets as the handle does', async () => {
    const handle = await mail().fails.enqueue();
    await expect(handle.result()).rejects.toThrow('always');
    await admin.retry(handle.id, { by: 'ada' });
    await starts.until(({ length }) => length === 2);
    await expect(handle.result()).rejects.toThrow('always');
    const delayed = await mail().send.with(RARE).enqueue('later');
    const cancelled = await admin.cancel(delayed.id, { by: 'ada', reason: 'No more mail.' });
    expect(cancelled).toMatchObject({ state: 'cancelled', error: { message: 'No more mail.' } });
    expect(await admin.forget(handle.id)).toBe(true);
    expect(await admin.forget(handle.id)).toBe(false);
    for (const act of ['retry', 'cancel', 'promote'] as const)
      await expect(admin[act](handle.id)).rejects.toThrow(TaskNotFoundError);
    await expect(admin.update(handle.id, { delay: 0 })).rejects.toThrow(TaskNotFoundError);
    await expect(admin.retry('no id')).rejects.toThrow(TaskNotFoundError);
    await expect(admin.retry(7 as unknown as string)).rejects.toThrow(InvalidArgumentsError);
  });

  it('promotes scheduled and retrying tasks, and says why it promotes no other', async () => {
    const scheduled = await mail().send.with(RARE).enqueue('scheduled');
    expect((await admin.promote(scheduled.id)).state).not.toBe('scheduled');
    expect(await scheduled.result()).toBe('scheduled');
    const retrying = await mail().send.enqueue('broken');
    for await (const { state } of retrying.updates()) if (state === 'retrying') break;
    isBroken = false;
    await admin.promote(retrying.id);
    expect(await retrying.result()).toBe('broken');
    expect((await retrying.status()).attempt).toBe(2);
    await expect(admin.promote(retrying.id)).rejects.toThrow(/is not promoted: it is succeeded/);
    const running = await mail().send.enqueue('wait');
    await starts.until((entries) => entries.includes('wait'));
    await expect(admin.promote(running.id)).rejects.toThrow(/a worker runs it/);
    gate.open();
    await running.result();
  });

  it('promotes the delayed step of a workflow, but no task that waits for a member', async () => {
    const first = await mail().send.enqueue('wait');
    await starts.until((entries) => entries.includes('wait'));
    const flow = await chain(
      mail().send.signature('wait'),
      mail().send.with(RARE).signature('second').immutable(),
    ).enqueue();
    await expect(admin.promote(flow.id)).rejects.toThrow(ActRefusedError);
    gate.open();
    await first.result();
    for await (const { state } of flow.updates()) if (state === 'scheduled') break;
    await admin.promote(flow.id);
    expect(await flow.result()).toBe('second');
  });

  it('changes arguments, time and priority of a task that has not started', async () => {
    const task = await mail().send.with(RARE).enqueue('old');
    expect((await admin.update(task.id, { args: ['new'] })).state).toBe('scheduled');
    expect((await admin.update(task.id, { delay: '2h' })).state).toBe('scheduled');
    await admin.update(task.id, { args: ['newest'], delay: 0 }, { by: 'ada' });
    expect(await task.result()).toBe('newest');
    await admin.pause('mail');
    const queued = await mail().send.enqueue('queued');
    expect((await admin.update(queued.id, { delay: new Date(Date.now() + 3_600_000) })).state).toBe('scheduled');
    expect((await admin.update(queued.id, { delay: 0, args: ['again'] })).state).toBe('queued');
    await admin.resume('mail');
    expect(await queued.result()).toBe('again');
    await expect(admin.update(queued.id, { args: ['late'] })).rejects.toThrow(/is not changed: it is succeeded/);
  });

  it('sorts a queue anew after a change of priority, and keeps the priority of a delayed task', async () => {
    const { sort } = mail();
    const first = await sort.enqueue('wait');
    await starts.until((entries) => entries.includes('wait'));
    const handles = [await sort.enqueue('a'), await sort.enqueue('b'), await sort.with(RARE).enqueue('c')];
    const [, b, c] = handles;
    await admin.update(b?.id ?? '', { priority: 5 });
    await admin.update(c?.id ?? '', { priority: 9 });
    await admin.update(c?.id ?? '', { delay: 0 });
    gate.open();
    await Promise.all([first, ...handles].map((handle) => handle.result()));
    expect(starts.entries).toEqual(['wait', 'c', 'b', 'a']);
  });

  it('refuses what enqueue() refuses, and what other calls rely on, and changes nothing then', async () => {
    const checked = await mail().checked.with(RARE).enqueue('ada@example.com');
    await expect(admin.update(checked.id, { args: ['nobody'] })).rejects.toThrow(InvalidArgumentsError);
    await expect(admin.update(checked.id, { args: [new Map()] })).rejects.toThrow(NotSerializableError);
    await expect(admin.update(checked.id, { args: ['x'.repeat(2_000)] })).rejects.toThrow(PayloadTooLargeError);
    await expect(admin.update(checked.id, { args: 'x' as unknown as string[] })).rejects.toThrow(
      /update\(\{ args \}\)/,
    );
    await expect(admin.update(checked.id, { delay: -1 })).rejects.toThrow(/update\(\{ delay \}\) is -1/);
    await expect(admin.update(checked.id, { priority: 1 })).rejects.toThrow(/has no priorities/);
    await expect(admin.update(checked.id, {})).rejects.toThrow(/is empty. Give args, delay or priority/);
    await admin.promote(checked.id);
    expect(await checked.result()).toBe('ada@example.com');
    const unique = await mail().once.with(RARE).enqueue('one');
    await expect(admin.update(unique.id, { args: ['two'] })).rejects.toThrow(/other calls rely on its arguments/);
    await admin.update(unique.id, { delay: 0 });
    expect(await unique.result()).toBe('one');
    const sorted = await mail().sort.with(RARE).enqueue('x');
    await expect(admin.update(sorted.id, { priority: 10 })).rejects.toThrow(/update\(\{ priority \}\) is 10/);
    await sorted.cancel();
    await expect(admin.update(sorted.id, { priority: 3 })).rejects.toThrow(/is not changed: it is cancelled/);
  });

  it('runs each task with the old or with the new arguments, and reports which, while workers take them', async () => {
    const handles = await mail().send.enqueueMany(Array.from({ length: 60 }, () => ['old']));
    const changes = await Promise.all(
      handles.map(({ id }) =>
        admin.update(id, { args: ['new'] }).then(
          () => 'new',
          (error: unknown) => {
            expect(error).toBeInstanceOf(ActRefusedError);
            return 'old';
          },
        ),
      ),
    );
    expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual(changes);
  });
});
