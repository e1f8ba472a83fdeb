import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  chain,
  chord,
  group,
  InjectTasks,
  Task,
  TaskContext,
  type Signature,
  type TaskError,
  type Tasks,
} from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { Recorder } from '../support/recorder.js';
import { until } from '../support/until.js';

@Injectable()
class Shop {
  readonly alerts = new Recorder<TaskError>();
  readonly done = new Recorder<unknown>();
  readonly reminded = new Recorder<number>();
  readonly calls: unknown[] = [];
  gate = new Gate();

  constructor(
    private readonly task: TaskContext,
    @InjectTasks(Shop) private readonly own: Tasks<Shop>,
  ) {}

  @Task()
  async charge(): Promise<number> {
    throw new Error('card declined');
  }

  @Task()
  async add(a: number, b: number): Promise<number> {
    return a + b;
  }

  /** Its result is gone as soon as it is stored. */
  @Task({ resultTtl: 1 })
  async brief(value: number): Promise<number> {
    return value;
  }

  @Task()
  async held(value: number): Promise<number> {
    await this.gate.opened;
    return value;
  }

  @Task()
  async remind(value: unknown): Promise<unknown> {
    this.reminded.record(Date.now());
    return value;
  }

  @Task()
  async alert(error: TaskError): Promise<void> {
    this.alerts.record(error);
  }

  @Task()
  async note(value: unknown): Promise<void> {
    this.done.record(value);
  }

  /** Returns text of this length. */
  @Task()
  async text(length: number): Promise<string> {
    return 'x'.repeat(length);
  }

  @Task()
  async join(...texts: string[]): Promise<number> {
    return texts.join('').length;
  }

  /** An item of a map, which ends as it says. */
  @Task({ retries: 2, backoff: { type: 'fixed', delay: 5, jitter: 0 } })
  async item(what: number | 'become' | 'later' | 'flaky' | 'broken'): Promise<number> {
    this.calls.push(what);
    const calls = this.calls.filter((call) => call === what).length;
    if (what === 'become') return this.task.replaceWith(this.own.add.signature(40, 2));
    if (what === 'later' && calls === 1) return this.task.retry({ in: 5 });
    if (what === 'broken' || (what === 'flaky' && calls < 3))
      throw new Error(`${what} in attempt ${this.task.attempt}`);
    return typeof what === 'number' ? what * 2 : this.task.attempt;
  }

  @Task({ timeout: 50 })
  async slow(what: number | 'retry' | 'replaceWith'): Promise<number> {
    if (typeof what === 'number') return what;
    await new Promise((resolve) => this.task.signal.addEventListener('abort', resolve));
    return what === 'retry' ? this.task.retry({ in: 0 }) : this.task.replaceWith(this.own.add.signature(1, 1));
  }

  /** Asks to run a second time. */
  @Task()
  async snooze(value: number): Promise<number> {
    this.calls.push('snooze');
    return this.calls.length === 1 ? this.task.retry({ in: '1h' }) : value;
  }
}

describeEachEngine('the end of a workflow', (engine) => {
  let booted: Booted;
  let shop: Shop;
  let tasks: Tasks<Shop>;

  beforeAll(async () => {
    booted = await boot({ ...(await engine.place()), queues: { default: { concurrency: 5 } }, maxPayload: 1_000 }, [
      Shop,
    ]);
    shop = booted.app.get(Shop);
    tasks = booted.queue.of(Shop);
  });
  beforeEach(() => {
    shop.calls.length = 0;
    shop.alerts.entries.length = 0;
    shop.done.entries.length = 0;
    shop.reminded.entries.length = 0;
    shop.gate = new Gate();
  });
  afterAll(() => booted.app.close());

  const later = { delay: '1h' } as const;

  it.each<[what: string, whole: () => Signature]>([
    ['a later step', () => chain(tasks.charge.signature(), tasks.remind.with(later).signature())],
    ['a later step of a member', () => group([chain(tasks.charge.signature(), tasks.remind.with(later).signature())])],
    ['the callback of a chord', () => chord([tasks.charge.signature()], tasks.remind.with(later).signature())],
  ])('that failed is told at once, whatever the delay of %s is', async (_, whole) => {
    const handle = await whole().onError(tasks.alert.signature()).enqueue();
    await expect(handle.result({ timeout: '15s' })).rejects.toMatchObject({ cause: { message: 'card declined' } });
    await shop.alerts.until(({ length }) => length === 1);
    expect(shop.alerts.entries).toMatchObject([{ id: handle.id, code: 'WORKFLOW_FAILED' }]);
  });

  it('comes at the time that a later step names, not at its turn and as long again', async () => {
    const enqueued = Date.now();
    const due = enqueued + 2_500;
    const step = tasks.remind.signature().with({ delay: new Date(due) });
    const handle = await chain(tasks.held.signature(1), step).enqueue();
    // Most of the time until then passes before the step has its turn. It is also how late a busy machine may start the step.
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const turn = Date.now();
    shop.gate.open();
    await expect(handle.result({ timeout: '15s' })).resolves.toBe(1);
    const [started] = shop.reminded.entries as [number];
    expect(started).toBeGreaterThanOrEqual(due);
    expect(started).toBeLessThan(turn + (due - enqueued));
  });

  it('comes when the delay of a later step is over, which is scheduled until then and has not started', async () => {
    const handle = await chain(tasks.add.signature(1, 1), tasks.remind.with(later).signature()).enqueue();
    for await (const { state, startedAt } of handle.updates()) {
      if (state !== 'scheduled') continue;
      expect(startedAt).toBeNull();
      break;
    }
    await handle.cancel();
    await expect(handle.result({ timeout: '15s' })).rejects.toMatchObject({ code: 'TASK_CANCELLED' });
    const soon = chain(tasks.add.signature(1, 1), tasks.remind.with({ delay: 20 }).signature());
    await expect((await soon.enqueue()).result({ timeout: '15s' })).resolves.toBe(2);
  });

  it('is retrying, and not waiting, while a step that asked to run later has to wait', async () => {
    const handle = await chain(tasks.add.signature(1, 1), tasks.snooze.signature()).enqueue();
    for await (const { state } of handle.updates()) if (state === 'retrying') break;
    await handle.cancel();
  });

  it('runs the callbacks again for each further end', async () => {
    const handle = await tasks.charge.signature().onError(tasks.alert.signature()).enqueue();
    for (const ends of [1, 2, 3]) {
      await expect(handle.result({ timeout: '15s' })).rejects.toMatchObject({ cause: { message: 'card declined' } });
      await shop.alerts.until(({ length }) => length === ends);
      await handle.retry();
    }
    await shop.alerts.until(({ length }) => length === 4);
  });

  it('runs its callbacks once, also when nothing is stored of it any more, or it runs again already', async () => {
    const count = 5;
    for (let value = 0; value < count; value++) {
      await tasks.brief.signature(value).onSuccess(tasks.note.signature()).enqueue();
      const forgotten = await tasks.add.signature(value, count).onSuccess(tasks.note.signature()).enqueue();
      await forgotten.result({ timeout: '15s' });
      await forgotten.forget();
      const failed = await tasks.charge.signature().onError(tasks.alert.signature()).enqueue();
      await failed.result({ timeout: '15s' }).catch(() => undefined);
      await failed.retry();
    }
    await shop.done.until(({ length }) => length >= 2 * count);
    await shop.alerts.until(({ length }) => length >= 2 * count);
    const values = Array.from({ length: 2 * count }, (_, value) => value);
    expect(shop.done.entries.toSorted((a, b) => Number(a) - Number(b))).toEqual(values);
    expect(shop.alerts.entries).toHaveLength(2 * count);
  });

  it('is forgotten with its members, once none of them runs any more', async () => {
    const handle = await group([tasks.add.signature(1, 1), tasks.held.signature(2)]).enqueue();
    const [first, second] = await handle.children();
    for await (const { state } of second!.updates()) if (state === 'running') break;
    await handle.cancel();
    await expect(handle.status()).resolves.toMatchObject({ state: 'cancelled' });
    await expect(handle.forget()).resolves.toBe(false);
    shop.gate.open();
    await until(() => handle.forget(), 'the workflow is forgotten');
    for (const { id } of [handle, first!, second!])
      await expect(booted.queue.handle(id).status()).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
  });

  it('runs onError for a task that expired', async () => {
    const handle = await tasks.remind
      .signature(1)
      .onError(tasks.alert.signature())
      .with({ delay: 50, expires: 1 })
      .enqueue();
    await shop.alerts.until(({ length }) => length === 1);
    expect(shop.alerts.entries).toMatchObject([{ id: handle.id, code: 'TASK_EXPIRED' }]);
  });

  it('runs the callbacks of a group and of a member once', async () => {
    const members = [tasks.add.signature(1, 1).onSuccess(tasks.note.signature()), tasks.add.signature(2, 2)];
    const whole = group(members).onSuccess(tasks.note.signature());
    await expect((await whole.enqueue()).result({ timeout: '15s' })).resolves.toEqual([2, 4]);
    await shop.done.until(({ length }) => length === 2);
    expect(shop.done.entries).toEqual(expect.arrayContaining([2, [2, 4]]));
  });

  it('refuses the arguments of a step that are too large with the result of the step before, with both sizes', async () => {
    const own = 'y'.repeat(600);
    const tooLarge = {
      name: 'PayloadTooLargeError',
      message: expect.stringMatching(/Shop\.join.*1\d\d\d.*1000/) as unknown,
    };
    const both: Signature[] = [
      chain(tasks.text.signature(600), tasks.join.signature(own as never)),
      chain(tasks.text.signature(600), group([tasks.join.signature(own as never)])),
    ];
    for (const whole of both) {
      await expect((await whole.enqueue()).result({ timeout: '15s' })).rejects.toMatchObject({ cause: tooLarge });
    }
    const fits = chain(tasks.text.signature(600), tasks.join.signature('y' as never));
    await expect((await fits.enqueue()).result({ timeout: '15s' })).resolves.toBe(601);
  });

  it('runs each item of a map by itself: one that is replaced, postponed or retried leaves the others alone', async () => {
    const items = [1, 'become', 'later', 'flaky', 2] as const;
    const handle = await tasks.item.map([...items]).enqueue();
    await expect(handle.result({ timeout: '15s' })).resolves.toEqual([2, 42, 1, 3, 4]);
    expect(shop.calls.filter((call) => typeof call === 'number')).toEqual([1, 2]);
    expect(shop.calls.filter((call) => call === 'flaky')).toHaveLength(3);
    shop.calls.length = 0;
    const chunks = await tasks.item
      .chunks(
        items.map((item) => [item] as [typeof item]),
        2,
      )
      .enqueue();
    await expect(chunks.result({ timeout: '15s' })).resolves.toEqual([[2, 42], [1, 3], [4]]);
  });

  it('names the item of a map that failed after its attempts', async () => {
    const handle = await tasks.item.map([1, 'broken', 2]).enqueue();
    await expect(handle.result({ timeout: '15s' })).rejects.toMatchObject({
      position: 1,
      cause: { message: 'broken in attempt 3' },
    });
    expect(shop.calls.filter((call) => typeof call === 'number')).toEqual([1, 2]);
  });

  it('is a timeout, whatever the method decides after its time is over', async () => {
    for (const what of ['retry', 'replaceWith'] as const) {
      const timedOut = { cause: { code: 'TASK_TIMEOUT' } };
      await expect((await tasks.slow.enqueue(what)).result({ timeout: '15s' })).rejects.toMatchObject(timedOut);
      await expect((await tasks.slow.map([1, what]).enqueue()).result({ timeout: '15s' })).rejects.toMatchObject(
        timedOut,
      );
    }
  });

  it('has the progress of the whole until the end', async () => {
    const handle = await chain(tasks.add.signature(1, 1), tasks.held.signature(1).immutable()).enqueue();
    const seen: unknown[] = [];
    for await (const { state, progress } of handle.updates()) {
      seen.push(progress);
      if (state === 'running') shop.gate.open();
    }
    expect(seen).not.toContain(null);
    expect(seen.at(-1)).toEqual({ current: 2, total: 2 });
    await expect(handle.status()).resolves.toMatchObject({ progress: { current: 2, total: 2 } });
  });

  it('has a name that people understand', async () => {
    const handle = await group([tasks.add.signature(1, 1)]).enqueue();
    await handle.result({ timeout: '15s' });
    await expect(handle.status()).resolves.toMatchObject({ name: 'group of tasks' });
  });

  it('cancels the members of a large group after the failure of one is told', async () => {
    const whole = group([
      tasks.charge.signature(),
      ...Array.from({ length: 150 }, () => tasks.remind.with(later).signature(1)),
    ]);
    const handle = await whole.enqueue();
    await expect(handle.result({ timeout: '15s' })).rejects.toMatchObject({ position: 0 });
    const [, ...members] = await handle.children();
    const ends = members.map((member) => member.result({ timeout: '15s' }).catch(({ code }: { code: string }) => code));
    expect(new Set(await Promise.all(ends))).toEqual(new Set(['TASK_CANCELLED']));
    expect(shop.reminded.entries).toEqual([]);
  });
});
