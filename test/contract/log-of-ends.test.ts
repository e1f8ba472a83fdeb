import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Injectable, type LoggerService } from '@nestjs/common';
import { group, Task, TaskContext, type TaskBatch, type TaskHandle, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { until } from '../support/until.js';

@Injectable()
class Work {
  static gate = new Gate();
  static running = 0;

  constructor(private readonly task: TaskContext) {}

  /** Keeps the only place of its queue. */
  @Task({ queue: 'one' })
  async hold(): Promise<void> {
    await this.untilAborted();
  }

  @Task({ queue: 'one' })
  async next(): Promise<void> {}

  @Task()
  async endless(): Promise<void> {
    await this.untilAborted();
  }

  @Task({ retries: 1, backoff: { type: 'fixed', delay: '10m', jitter: 0 } })
  async again(): Promise<void> {
    throw new Error('not yet');
  }

  @Task({ queue: 'batches', batch: { size: 10, wait: '1m' } })
  async inBatch(calls: TaskBatch<[number]>): Promise<number[]> {
    return calls.map(({ args: [value] }) => value);
  }

  @Task()
  async fail(): Promise<void> {
    throw new TypeError('a mistake in the code');
  }

  @Task()
  async refuse(): Promise<void> {
    this.task.fail('The card was declined.');
  }

  @Task()
  async last(): Promise<void> {}

  private async untilAborted(): Promise<void> {
    const { signal } = this.task;
    Work.running++;
    await Promise.race([
      Work.gate.opened,
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    ]);
  }
}

type Line = readonly [level: string, text: string, stack?: string];

/** Keeps the lines of the library, with their stacks. */
class Lines implements LoggerService {
  readonly all: Line[] = [];
  readonly log = this.keep('log');
  readonly warn = this.keep('warn');
  readonly error = this.keep('error');

  private keep(level: string) {
    return (message: unknown, ...rest: unknown[]): void => {
      if (rest.at(-1) !== 'TaskQueue') return;
      const stack = rest.slice(0, -1).find((one) => one !== undefined) as string | undefined;
      this.all.push(stack === undefined ? [level, String(message)] : [level, String(message), stack]);
    };
  }
}

/** One line of one shape for each end without success. Its level says who caused it: a caller, the circumstances, or the task. */
describeEachEngine('the log of tasks that did not succeed', (engine) => {
  let booted: Booted;
  let work: Tasks<Work>;
  const lines = new Lines();

  beforeAll(async () => {
    booted = await boot({ ...(await engine.place()), queues: { one: { concurrency: 1 } } }, [Work], lines);
    work = booted.queue.of(Work);
  });
  afterAll(() => booted.app.close());
  beforeEach(() => void (Work.gate = new Gate()));

  const linesOf = ({ id }: Pick<TaskHandle, 'id'>) => lines.all.filter(([, text]) => text.includes(`(${id})`));
  /** The lines of the ends, once there are so many, and the worker has logged the lines of what came after them. */
  async function logged(handle: Pick<TaskHandle, 'id'>, count = 1): Promise<readonly Line[]> {
    await until(() => linesOf(handle).length >= count, 'the end is logged');
    await (await work.last.enqueue()).result({ timeout: '15s' });
    return linesOf(handle);
  }
  const cancelled = (name: string, { id }: Pick<TaskHandle, 'id'>, reason = 'enough'): Line[] => [
    ['log', `Task Work.${name} (${id}) was cancelled: ${reason}`],
  ];
  const running = async (handle: TaskHandle) =>
    until(async () => (await handle.status()).state === 'running', 'the task runs');

  it('has one line for a running task that is cancelled, with and without a reason', async () => {
    for (const reason of ['enough', undefined]) {
      const handle = await work.endless.enqueue();
      await running(handle);
      await handle.cancel(reason);
      expect(await logged(handle)).toEqual(cancelled('endless', handle, reason ?? 'The task was cancelled.'));
    }
  });

  it('has the same line for a task that is cancelled before its start, however it waits', async () => {
    const holder = await work.hold.enqueue();
    await running(holder);
    const queued = await work.next.enqueue();
    const delayed = await work.last.with({ delay: '1h' }).enqueue();
    const retried = await work.again.enqueue();
    await until(async () => (await retried.status()).state === 'retrying', 'the task waits for its second attempt');
    const inBatch = await work.inBatch.enqueue(1);
    for (const handle of [queued, delayed, retried, inBatch]) await handle.cancel('enough');
    Work.gate.open();
    await holder.result({ timeout: '15s' });
    expect(await logged(queued)).toEqual(cancelled('next', queued));
    expect(await logged(delayed)).toEqual(cancelled('last', delayed));
    expect(await logged(inBatch)).toEqual(cancelled('inBatch', inBatch));
    expect(await logged(retried, 2)).toEqual([
      ['warn', `Task Work.again (${retried.id}) failed in attempt 1, next in 600000 ms: not yet`],
      ...cancelled('again', retried),
    ]);
  });

  it('has one line for a workflow that is cancelled, and one for each of its members', async () => {
    const before = Work.running;
    const whole = await group([work.endless.signature(), work.endless.signature()]).enqueue();
    await until(() => Work.running === before + 2, 'both members run');
    const members = await whole.children();
    await whole.cancel('enough');
    for (const member of members) expect(await logged(member)).toEqual(cancelled('endless', member));
    const [line, ...others] = await logged(whole);
    expect(others).toEqual([]);
    expect(line).toEqual(['log', expect.stringMatching(/^Task .* was cancelled: enough$/)]);
  });

  it('has a line of the same shape for a task that expired, one level above, for nobody asked for that', async () => {
    const holder = await work.hold.enqueue();
    await running(holder);
    const handle = await work.next.with({ expires: 100 }).enqueue();
    await until(async () => (await handle.status()).state === 'expired', 'the expiry time has passed');
    Work.gate.open();
    await expect(handle.result({ timeout: '15s' })).rejects.toMatchObject({ code: 'TASK_EXPIRED' });
    expect(await logged(handle)).toEqual([
      ['warn', `Task Work.next (${handle.id}) expired: The task was not started before its expiry time.`],
    ]);
  });

  it('has a line with a stack for a mistake in the code alone', async () => {
    const failed = await work.fail.enqueue();
    expect(await logged(failed)).toEqual([
      ['error', `Task Work.fail (${failed.id}) failed: a mistake in the code`, expect.stringContaining('TypeError')],
    ]);
    const refused = await work.refuse.enqueue();
    expect(await logged(refused)).toEqual([
      ['warn', `Task Work.refuse (${refused.id}) failed: The card was declined.`],
    ]);
  });
});
