import { getQueueToken } from '@nestjs/bullmq';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { group, Task, type TaskHandle, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachDatabase } from '../support/engines.js';
import { until } from '../support/until.js';
import { LogLines } from '../support/log-lines.js';
import { storedJobs, type Fields, type StoredJobs } from '../support/stored-jobs.js';

@Injectable()
class Work {
  readonly runs: string[] = [];

  @Task()
  async echo(text: string): Promise<string> {
    this.runs.push(text);
    return text;
  }

  @Task()
  async fail(): Promise<void> {
    throw new Error('declined');
  }

  @Task({ unique: { while: 'running' } })
  async unique(): Promise<string> {
    return 'unique';
  }

  @Task()
  async secret(): Promise<void> {
    this.runs.push('secret');
  }
}

/** What another program did to a stored task, and the part of the error that names it. */
interface Damage {
  readonly what: string;
  readonly redis?: Fields;
  readonly postgres?: Fields;
  /** Redis: commands instead of fields; `KEY` is the key of the job. */
  readonly commands?: readonly (readonly string[])[];
  readonly says: RegExp;
  readonly code?: string;
  /** Only a worker finds out. Before, the task looks like any other. */
  readonly isFoundByWorker?: true;
}

const json = (value: unknown) => JSON.stringify(value);
/** The same fields under the names of both engines. */
const both = (field: string, value: unknown): Pick<Damage, 'redis' | 'postgres'> => ({
  redis: { [field]: json(value) },
  postgres: { [field]: json(value) },
});
const data = (extra: object) => both('data', { args: ['damaged'], ...extra });
const NO_TASK = { says: /not enqueued as a task/, code: 'INVALID_ARGUMENTS', isFoundByWorker: true } as const;

const DAMAGES: readonly Damage[] = [
  { what: 'options that are not JSON', redis: { opts: '{{{{' }, says: /opts is not JSON/ },
  { what: 'options that are null', ...both('opts', null), says: /opts is not an object/ },
  { what: 'options that are a list', ...both('opts', [1]), says: /opts is not an object/ },
  { what: 'options that are a text', ...both('opts', 'x'), says: /opts is not an object/ },
  { what: 'attempts that are a text', ...both('opts', { attempts: 'x' }), says: /opts.attempts/ },
  { what: 'attempts without a bound', ...both('opts', { attempts: 1e308 }), says: /opts.attempts/ },
  { what: 'a negative timeout', ...both('opts', { task: { timeout: -1 } }), says: /opts.task.timeout/ },
  { what: 'task options that are a text', ...both('opts', { task: 'x' }), says: /opts.task/ },
  {
    what: 'a backoff of no type',
    ...both('opts', { task: { backoff: { type: 'x' } } }),
    says: /opts.task.backoff.type/,
  },
  { what: 'a backoff that is a number', ...both('opts', { task: { backoff: 5 } }), says: /opts.task.backoff/ },
  { what: 'a rule for its parent that is a text', ...both('opts', { continueParentOnFailure: 'x' }), says: /opts\./ },
  { what: 'no name', redis: { name: '' }, postgres: { name: '' }, says: /name is missing/ },
  { what: 'data that is not JSON', redis: { data: '{{{{' }, says: /data is not JSON/ },
  { what: 'data that is null', ...both('data', null), ...NO_TASK },
  { what: 'data that is a list', ...both('data', [1]), ...NO_TASK },
  { what: 'data that is a text', ...both('data', 'x'), ...NO_TASK },
  { what: 'arguments that are an object', ...both('data', { args: { length: 1e9 } }), ...NO_TASK },
  { what: 'headers that are a text', ...data({ headers: 'abc' }), ...NO_TASK },
  { what: 'headers that are a list', ...data({ headers: [1] }), ...NO_TASK },
  { what: 'progress that is not JSON', redis: { progress: '{{{' }, says: /progress is not JSON/ },
  { what: 'a parent that is not JSON', redis: { parent: '{{{' }, says: /parent is not JSON/ },
  { what: 'a time that is no number', redis: { timestamp: 'abc' }, says: /timestamp/ },
  { what: 'a negative time', redis: { timestamp: '-5' }, postgres: { added_at_ms: '-5' }, says: /timestamp/ },
  {
    what: 'a time after the end of time',
    redis: { timestamp: '9007199254740991' },
    postgres: { added_at_ms: '9007199254740991' },
    says: /timestamp/,
  },
  { what: 'attempts made that are no number', redis: { atm: 'abc' }, says: /attemptsMade/ },
  {
    what: 'more attempts made than there can be',
    redis: { atm: '9223372036854775806' },
    postgres: { attempts_made: '2147483647' },
    says: /attemptsMade/,
  },
  { what: 'starts that are no number', redis: { ats: 'abc' }, says: /attemptsStarted/ },
  {
    what: 'more starts than there can be',
    redis: { ats: '9223372036854775807' },
    postgres: { attempts_started: '2147483647' },
    says: /attemptsStarted/,
  },
  { what: 'negative starts', redis: { ats: '-5' }, postgres: { attempts_started: '-5' }, says: /attemptsStarted/ },
  {
    what: 'more lost workers than there can be',
    redis: { stc: 'x' },
    postgres: { stalled_count: '2147483647' },
    says: /stalledCounter/,
  },
  { what: 'a mark of a cancel that is a number', ...data({ cancelled: 5 }), says: /data.cancelled/ },
  { what: 'a mark of a cancel without a time', ...data({ cancelled: {} }), says: /data.cancelled.at/ },
  { what: 'a root that is an object', ...data({ root: {} }), says: /data.root/ },
  {
    what: 'a thousand million members',
    ...data({ members: [{ queue: 'default', count: 1e9 }] }),
    says: /data.members/,
  },
  { what: 'members that are a number', ...data({ members: 5 }), says: /data.members/ },
  { what: 'members of no queue', ...data({ members: [{ queue: '../x', count: 1 }] }), says: /data.members/ },
  { what: 'a note that is a text', ...data({ note: 'x' }), says: /data.note/ },
  { what: 'a note that is null', ...data({ note: null }), says: /data.note/ },
  { what: 'a note about a step before that is missing', ...data({ note: { after: true } }), says: /data.members/ },
  { what: 'a note about a replacement that is missing', ...data({ note: { replaced: true } }), says: /data.members/ },
  { what: 'a note about lists of arguments that are none', ...data({ note: { each: true } }), says: /data.args/ },
  {
    what: 'followers that are no plans',
    ...data({ note: { onSuccess: [5, null] } }),
    says: /data.note.onSuccess/,
    isFoundByWorker: true,
  },
  {
    what: 'a follower in no queue',
    ...data({ note: { onSuccess: [{ task: 'Work.secret', queue: '../x y', args: [] }] } }),
    says: /data.note.onSuccess/,
    isFoundByWorker: true,
  },
  {
    what: 'the name of a group without its note',
    redis: { name: '$group' },
    postgres: { name: '$group' },
    says: /group/,
  },
  {
    what: 'a list for its hash',
    commands: [
      ['DEL', 'KEY'],
      ['LPUSH', 'KEY', 'x'],
    ],
    says: /not a hash|name is missing/,
  },
  { what: 'a text for its hash', commands: [['SET', 'KEY', 'x']], says: /not a hash|name is missing/ },
  { what: 'nothing but its id', commands: [['DEL', 'KEY']], says: /name is missing/ },
];

/** Milliseconds in which two tasks of each damage and a good one behind them have to end, on a slow machine. */
const ALL_WITHIN = 10_000;

describeEachDatabase('a task that cannot be read', (engine) => {
  let booted: Booted;
  let work: Tasks<Work>;
  let runs: string[];
  let queue: Queue;
  let stored: StoredJobs;

  beforeAll(async () => {
    const place = await engine.place();
    // A task that waited for the end of its lock would exceed the time limits of the tests.
    booted = await boot({ ...place, abandonedAfter: '30s' }, [Work]);
    work = booted.queue.of(Work);
    runs = booted.app.get(Work).runs;
    queue = booted.app.get(getQueueToken('default'));
    stored = storedJobs(engine, place, booted);
  });
  afterAll(async () => {
    await stored.close();
    await booted.app.close();
  });

  /** Enqueues tasks while no worker takes any, and damages them. */
  async function damagedTasks(damage: Damage, count = 1): Promise<TaskHandle[]> {
    await queue.pause();
    const handles = await work.echo.enqueueMany(Array.from({ length: count }, () => ['damaged'] as const));
    await Promise.all(handles.map(({ id }) => apply(damage, id)));
    return handles;
  }

  async function apply({ redis, postgres, commands = [] }: Damage, id: string): Promise<void> {
    if (engine.name !== 'redis') return stored.change(id, postgres as Fields);
    if (redis) await stored.change(id, redis);
    for (const command of commands) await stored.command(id, ...command);
  }

  const damages = DAMAGES.filter(({ redis, postgres, commands }) =>
    engine.name === 'redis' ? (redis ?? commands) : postgres,
  );

  describe.each(damages)('has $what', (damage) => {
    const { says, code = 'UNREADABLE_TASK', isFoundByWorker } = damage;
    const failed = { state: 'failed', error: { code, message: expect.stringMatching(says) as unknown } };

    it('fails at once, and can be looked up, cancelled, retried and removed before a worker took it and after', async () => {
      const [handle] = (await damagedTasks(damage)) as [TaskHandle];
      const isStored = await handle.status().catch(missing);
      if (isStored && !isFoundByWorker) {
        await expect(handle.status()).resolves.toMatchObject(failed);
        await expect(handle.cancel()).resolves.toMatchObject(failed);
        await expect(handle.retry()).resolves.toMatchObject(failed);
        await expect(handle.forget()).resolves.toBe(true);
        await expect(handle.status()).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
      } else {
        await handle.cancel().catch(missing);
        await handle.retry().catch(missing);
      }
      await queue.resume();

      const [taken] = (await damagedTasks(damage)) as [TaskHandle];
      await queue.resume();
      await untilTaken(taken);
      await expect(taken.result()).rejects.toMatchObject({ code: 'TASK_FAILED', cause: failed.error });
      await expect(taken.cancel()).resolves.toMatchObject(failed);
      await taken.retry();
      await untilTaken(taken);
      await expect(taken.forget()).resolves.toBe(true);
      await expect(taken.status()).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
    });
  });

  it('holds no other task up, and its method does not run', async () => {
    const handles: TaskHandle[] = [];
    for (const damage of damages) handles.push(...(await damagedTasks(damage, 2)));
    const good = await work.echo.enqueue('good');
    runs.length = 0;
    const resumed = performance.now();
    await queue.resume();
    await expect(good.result({ timeout: '15s' })).resolves.toBe('good');
    for (const handle of handles) await untilTaken(handle);
    expect(performance.now() - resumed).toBeLessThan(ALL_WITHIN);
    expect(runs).toEqual(['good']);
  });

  it('that has ended is reported as failed, without its result', async () => {
    const handle = await work.echo.enqueue('done');
    await handle.result({ timeout: '15s' });
    const broken: Damage =
      engine.name === 'redis'
        ? { what: '', redis: { returnvalue: '{{{{' }, says: /returnvalue/ }
        : { what: '', postgres: { finished_at_ms: '-1' }, says: /finishedOn/ };
    await apply(broken, handle.id);
    await expect(handle.status()).resolves.toMatchObject({ state: 'failed', error: { code: 'UNREADABLE_TASK' } });
    await expect(handle.result()).rejects.toThrow(broken.says);
    await expect(handle.forget()).resolves.toBe(true);
  });

  it('and whose failure is not one of this package has failed with the reason that is stored', async () => {
    const handle = await work.fail.enqueue();
    await handle.result({ timeout: '15s' }).catch(() => undefined);
    const stacks = JSON.stringify(['Error: x\n{"name":5,"member":{"id":1}}']);
    await apply(
      {
        what: '',
        redis: { failedReason: 'kaput', stacktrace: stacks },
        postgres: { failed_reason: 'kaput', stacktrace: stacks },
        says: /kaput/,
      },
      handle.id,
    );
    await expect(handle.status()).resolves.toMatchObject({
      state: 'failed',
      error: { name: 'Error', message: 'kaput' },
    });
    await expect(handle.result()).rejects.toThrow(/kaput/);
  });

  it('makes the workflow fail that waits for it', async () => {
    await queue.pause();
    const whole = await group([work.echo.signature('good'), work.echo.signature('damaged')]).enqueue();
    const [, member] = await whole.children();
    await apply({ what: '', ...both('opts', 'x'), says: /opts/ }, member!.id);
    await queue.resume();
    await expect(whole.result({ timeout: '15s' })).rejects.toMatchObject({
      code: 'WORKFLOW_FAILED',
      member: { id: member!.id },
      cause: { code: 'UNREADABLE_TASK' },
    });
  });

  /** Resolves once a worker has ended the task. The status says "failed" even before. */
  async function untilTaken({ id }: TaskHandle): Promise<void> {
    const ended = async () => ['failed', 'completed'].includes(await queue.getBackend().getState(id));
    await until(ended, `task ${id} has ended`, 15_000);
  }
});

describeEachDatabase('a task of a newer version of this package', (engine) => {
  let booted: Booted;
  const log = new LogLines();

  afterAll(() => booted.app.close());

  it('is left to the workers of that version, and is not failed', async () => {
    const place = await engine.place();
    booted = await boot(place, [Work]);
    booted.app.useLogger(log);
    const work = booted.queue.of(Work);
    const queue = booted.app.get<Queue>(getQueueToken('default'));
    const stored = storedJobs(engine, place, booted);
    await queue.pause();
    const handles = await work.echo.enqueueMany([['newer'], ['newer']]);
    const newer = JSON.stringify({ v: 2, args: ['newer'], headers: {}, cancelled: 'in another form' });
    const opts = JSON.stringify({ attempts: 2, task: { backoff: 'in another form' } });
    for (const { id } of handles) await stored.change(id, { data: newer, opts });
    await queue.resume();
    const starts = async (id: string) => (await queue.getBackend().getJobData(id))?.attemptsStarted ?? 0;
    for (const { id } of handles) await until(async () => (await starts(id)) > 0, 'a worker has seen the task');
    await expect((await work.echo.enqueue('good')).result({ timeout: '15s' })).resolves.toBe('good');
    for (const handle of handles) {
      const status = await handle.status();
      expect(status).toMatchObject({ name: 'Work.echo', error: null, attempt: 0, finishedAt: null });
      expect(['queued', 'retrying', 'running']).toContain(status.state);
    }
    expect(booted.app.get(Work).runs).toEqual(['good']);
    expect(log.lines.filter((line) => line.includes('newer version'))).toEqual([
      expect.stringMatching(/^WARN Task Work.echo \(\S+\) was stored by a newer version .* \(format 2, .* up to 1\)/),
    ]);
    // An update of this process understands the task again.
    for (const { id } of handles) await stored.change(id, { data: JSON.stringify({ args: ['known'] }), opts: '{}' });
    for (const handle of handles) await expect(handle.result({ timeout: '15s' })).resolves.toBe('known');
    await stored.close();
  });
});

/** @returns undefined for a task that is not stored */
function missing(error: unknown): undefined {
  if ((error as { code?: string }).code !== 'TASK_NOT_FOUND') throw error;
}
