import { afterAll, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';
import { Injectable, type LoggerService } from '@nestjs/common';
import { OnAdmin, OnTask, Task, TaskAdmin, type TaskBatch, type TaskOptions, type Tasks } from 'nestjs-task-queue';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { unreadableThen } from '../support/hostile-values.js';
import { LogLines } from '../support/log-lines.js';
import { until } from '../support/until.js';

/** How a function of the application goes wrong. */
const CRASHES: Readonly<Record<string, () => unknown>> = {
  'throws an error': () => {
    throw new Error('crashed');
  },
  'throws undefined': () => {
    throw undefined as never;
  },
  'throws null': () => {
    throw null as never;
  },
  'is rejected': () => Promise.reject(new Error('crashed')),
  'is rejected with nothing': () => Promise.reject(undefined),
  'never ends': () => new Promise(() => undefined),
  'returns a value whose then throws': () => unreadableThen('crashed'),
};

let crash: () => unknown = () => undefined;

/** What a schema answers instead of `{ value }` or `{ issues }`, and what the error says. */
const ANSWERS: Readonly<Record<string, readonly [answer: unknown, says: RegExp]>> = {
  undefined: [undefined, /schema of task "Work.checked" answered with undefined/],
  null: [null, /answered with null/],
  'a text': ['fine', /answered with string/],
  'issues that are a text': [{ issues: 'all wrong' }, /answered with issues of another form/],
  'an issue that is null': [{ issues: [null] }, /answered with issues of another form/],
  'a path of null': [{ issues: [{ message: 'wrong', path: [null] }] }, /answered with issues of another form/],
  'a message that is missing': [{ issues: [{}] }, /args: undefined/],
};

let answer: unknown = { value: [1] };
const schema = { '~standard': { version: 1, vendor: 'test', validate: () => answer } } as unknown as NonNullable<
  TaskOptions['schema']
>;
const crashingSchema = {
  '~standard': { version: 1, vendor: 'test', validate: () => crash() },
} as unknown as NonNullable<TaskOptions['schema']>;

@Injectable()
class Work {
  static heard = 0;

  @Task()
  async fine(n: number): Promise<number> {
    return n;
  }

  @Task()
  async fail(): Promise<void> {
    throw new Error('declined');
  }

  @Task({ schema })
  async checked(n: number): Promise<number> {
    return n;
  }

  @Task({ schema: crashingSchema, timeout: 300, retries: 1, backoff: { type: 'fixed', delay: 1 } })
  async crashing(n: number): Promise<number> {
    return n;
  }

  @Task({ unique: { while: 'running', key: (() => crash()) as () => string } })
  async single(): Promise<string> {
    return 'ran';
  }

  @Task({ queue: 'rows', batch: { size: 10, wait: '50ms', key: (n: number) => (n < 0 ? (crash() as string) : 'all') } })
  async inBatch(calls: TaskBatch<[number]>): Promise<number[]> {
    return calls.map(({ args: [n] }) => n);
  }

  @OnTask(['started', 'succeeded', 'failed'])
  listener(): unknown {
    Work.heard++;
    return crash();
  }

  @OnAdmin()
  adminListener(): unknown {
    Work.heard++;
    return crash();
  }
}

/** Answers each line with what went wrong. */
class CrashingLogger implements LoggerService {
  lines = 0;
  readonly log = this.answer.bind(this);
  readonly warn = this.answer.bind(this);
  readonly error = this.answer.bind(this);
  readonly debug = this.answer.bind(this);

  private answer(): unknown {
    this.lines++;
    return crash();
  }
}

describeEachEngine('a function of the application that', (engine) => {
  let booted: Booted;
  let work: Tasks<Work>;
  const log = new LogLines();
  const unhandled = jest.fn();

  beforeAll(async () => {
    booted = await boot({ ...(await engine.place()), abandonedAfter: '30s' }, [Work], log);
    work = booted.queue.of(Work);
    process.on('unhandledRejection', unhandled);
  }, 60_000);
  beforeEach(() => {
    Work.heard = 0;
    answer = { value: [1] };
    crash = () => undefined;
    log.lines.length = 0;
  });
  afterAll(async () => {
    crash = () => undefined;
    process.off('unhandledRejection', unhandled);
    await booted.app.close();
    expect(unhandled).not.toHaveBeenCalled();
  });

  it.each(Object.entries(CRASHES))('%s changes no end as a listener', async (_, how) => {
    crash = how;
    const handles = [await work.fine.enqueue(1), await work.fail.enqueue()] as const;
    await expect(handles[0].result({ timeout: '20s' })).resolves.toBe(1);
    await expect(handles[1].result({ timeout: '20s' })).rejects.toThrow('declined');
    await until(() => Work.heard >= 4, 'the listener has heard all');
    await booted.app.get(TaskAdmin).pause('elsewhere', { by: 'ann' });
    await until(() => Work.heard >= 5, 'the listener has heard the act');
    await nextTurn();
  });

  it.each(Object.entries(CRASHES))('%s changes no end as a logger, and ends no process', async (_, how) => {
    const logger = new CrashingLogger();
    booted.app.useLogger(logger);
    crash = () => (Work.heard > 0 ? undefined : how());
    try {
      const handle = await work.fail.enqueue();
      await expect(handle.result({ timeout: '20s' })).rejects.toThrow('declined');
      await until(() => logger.lines > 0, 'the end is logged');
      await nextTurn();
    } finally {
      booted.app.useLogger(log);
    }
  });

  it.each(Object.entries(CRASHES))('%s as unique.key refuses the call at once', async (_, how) => {
    crash = how;
    await expect(work.single.enqueue()).rejects.toMatchObject({ code: 'INVALID_ARGUMENTS' });
    await nextTurn();
  });

  it.each(Object.entries(CRASHES))('%s as the key of batches lets its own call fail alone', async (_, how) => {
    crash = how;
    const [bad, good] = await work.inBatch.enqueueMany([[-1], [2]]);
    await expect(good!.result({ timeout: '20s' })).resolves.toBe(2);
    await expect(bad!.result({ timeout: '20s' })).rejects.toMatchObject({ code: 'TASK_FAILED' });
  });

  it.each(Object.entries(ANSWERS))(
    'answers with %j as a schema refuses the call, and says so',
    async (_, [given, says]) => {
      const handle = await work.checked.enqueue(1);
      await handle.result({ timeout: '20s' });
      answer = given;
      await expect(work.checked.enqueue(1)).rejects.toThrow(says);
    },
  );

  it.each(Object.entries(CRASHES))(
    '%s as a schema makes the task of the worker fail, after its retries',
    async (_, how) => {
      crash = () => ({ value: [1] });
      const handle = await work.crashing.with({ delay: 100 }).enqueue(1);
      crash = how;
      await expect(handle.result({ timeout: '20s' })).rejects.toMatchObject({ code: 'TASK_FAILED' });
      expect(await handle.status()).toMatchObject({ state: 'failed', attempt: 2 });
    },
  );
});
