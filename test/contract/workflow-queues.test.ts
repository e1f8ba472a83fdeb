import { afterAll, beforeAll, expect, it } from '@jest/globals';
import {
  chain,
  chord,
  group,
  Task,
  TaskAdmin,
  TaskProcessor,
  type Signature,
  type TaskHandle,
  type Tasks,
} from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { Gate } from '../support/gate.js';

@TaskProcessor('mail')
class Mail {
  @Task()
  async send(to: string): Promise<string> {
    return to;
  }
}

/** The queue has a rate limit that no test outlives. */
@TaskProcessor('narrow')
class Narrow {
  @Task()
  async count(value: number): Promise<number> {
    return value;
  }
}

@TaskProcessor('limited')
class Limited {
  @Task()
  async count(value: number): Promise<number> {
    return value;
  }
}

/** One task at a time, in the order of their priorities. */
@TaskProcessor('urgent')
class Urgent {
  readonly ran: unknown[] = [];
  gate = new Gate();

  @Task()
  async hold(_value?: unknown): Promise<void> {
    await this.gate.opened;
  }

  @Task()
  async work(name: string | number | string[]): Promise<string> {
    this.ran.push(name);
    return String(name);
  }
}

/** As many tasks as the test of the limit runs. */
const LIMIT = 4;

describeEachEngine('the queues of a workflow', (engine) => {
  let booted: Booted;
  let mail: Tasks<Mail>;
  let limited: Tasks<Limited>;
  let urgent: Tasks<Urgent>;

  beforeAll(async () => {
    const queues = {
      limited: { rateLimit: { max: LIMIT, per: '1h' as const } },
      narrow: { rateLimit: { max: 2, per: '1h' as const } },
      urgent: { concurrency: 1, priorities: true },
    };
    booted = await boot({ ...(await engine.place()), queues }, [Mail, Limited, Narrow, Urgent]);
    [mail, limited, urgent] = [booted.queue.of(Mail), booted.queue.of(Limited), booted.queue.of(Urgent)];
  });
  afterAll(() => booted.app.close());

  it('give an empty group its result though nobody takes tasks from "default"', async () => {
    const none: string[] = [];
    const empty: Signature[] = [
      group(none.map((to) => mail.send.signature(to))),
      mail.send.chunks([], 10),
      group([group([]), group([])]),
    ];
    for (const whole of empty) {
      const result = await (await booted.queue.enqueue(whole)).result({ timeout: '15s' });
      expect((result as unknown[]).flat()).toEqual([]);
    }
    const after = chain(mail.send.signature('a'), group([]));
    await expect((await after.enqueue()).result({ timeout: '15s' })).resolves.toEqual([]);
    const inner = group([mail.send.signature('a'), chain(mail.send.signature('b'), group([]))]);
    await expect((await inner.enqueue()).result({ timeout: '15s' })).resolves.toEqual(['a', []]);
  });

  it('spend the rate limit on the tasks that run, and on nothing else', async () => {
    const ends = (handles: readonly TaskHandle[]) =>
      Promise.all(
        handles.map((handle) => handle.result({ timeout: '15s' }).catch(({ code }: { code: string }) => code)),
      );
    const cancelled = await limited.count.with({ delay: '1h' }).enqueueMany(Array.from({ length: 20 }, () => [0]));
    await Promise.all(cancelled.map((handle) => handle.cancel()));
    expect(new Set(await ends(cancelled))).toEqual(new Set(['TASK_CANCELLED']));
    const expired = await limited.count
      .with({ delay: 20, expires: 1 })
      .enqueueMany(Array.from({ length: 5 }, () => [0]));
    expect(new Set(await ends(expired))).toEqual(new Set(['TASK_EXPIRED']));
    const two = await group([limited.count.signature(1), limited.count.signature(2)]).enqueue();
    const steps = await chain(limited.count.signature(3), limited.count.signature()).enqueue();
    expect(await ends([two, steps])).toEqual([[1, 2], 3]);
    // The limit is reached now, and still holds.
    const beyond = await limited.count.enqueue(4);
    await expect(beyond.result({ timeout: '1s' })).rejects.toMatchObject({ code: 'RESULT_TIMEOUT' });
  });

  it('reach a task behind many cancelled ones at once, although only two may start', async () => {
    const admin = booted.app.get(TaskAdmin);
    const narrow = booted.queue.of(Narrow).count;
    await admin.pause('narrow');
    const cancelled = await narrow.enqueueMany(Array.from({ length: 40 }, () => [0]));
    await Promise.all(cancelled.map((handle) => handle.cancel()));
    const behind = await narrow.enqueue(5);
    await admin.resume('narrow');
    // A worker that waited whenever the limit was reached for a moment would need ten seconds.
    await expect(behind.result({ timeout: '5s' })).resolves.toBe(5);
  });

  it('give priority to all tasks of a chord, also to those that gather and that follow', async () => {
    const provider = booted.app.get(Urgent);
    await urgent.hold.with({ priority: 9 }).enqueue();
    await urgent.work.enqueueMany(Array.from({ length: 10 }, (_, index) => [index]));
    const members = ['a', 'b'].map((name) => urgent.work.with({ priority: 5 }).signature(name));
    const whole = chord(group(members), urgent.work.signature());
    const handle = await whole.enqueue();
    provider.gate.open();
    await expect(handle.result({ timeout: '15s' })).resolves.toBe('a,b');
    expect(provider.ran.slice(0, 3)).toEqual(['a', 'b', ['a', 'b']]);
  });
});
