import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { getQueueToken } from '@nestjs/bullmq';
import { Injectable } from '@nestjs/common';
import type { IQueueBackend, Queue } from 'bullmq';
import { Schedule, Task, TaskContext, TaskSchedules } from 'nestjs-task-queue';
import type { Engine } from '../../../lib/engine/engine.js';
import { ENGINE } from '../../../lib/task-queue-tokens.js';
import { boot, type Booted } from '../../support/boot.js';
import { describeEachDatabase } from '../../support/engines.js';
import { Recorder } from '../../support/recorder.js';
import { until } from '../../support/until.js';

@Injectable()
class Work {
  static readonly runs = new Recorder<string>();

  constructor(private readonly task: TaskContext) {}

  @Schedule('@yearly', { id: 'declared' })
  @Task()
  tick(): void {
    Work.runs.record(this.task.headers['schedule'] as string);
  }
}

const VALID = {
  id: 'bad',
  source: 'runtime',
  every: 200,
  timezone: 'UTC',
  overlap: 'allow',
  catchUp: 'one',
  template: { name: 'Work.tick', queue: 'default', args: [], headers: {}, options: {} },
  since: 0,
};

/** Texts that no process of this version stores, with a part of the reason that the status gives. */
const BROKEN: Record<string, [text: string, reason: string]> = {
  text: ['{"id": "bad', 'is not JSON'],
  list: ['[]', 'is not a JSON object'],
  number: ['5', 'is not a JSON object'],
  format: [JSON.stringify({ ...VALID, format: 'x' }), 'format "x"'],
  newer: [JSON.stringify({ ...VALID, format: 2, jitter: '5s' }), 'later version of nestjs-task-queue'],
  field: [JSON.stringify({ ...VALID, jitter: '5s' }), 'unknown field jitter'],
  negative: [JSON.stringify({ ...VALID, every: -5 }), 'every of Schedule "bad" is -5'],
  zero: [JSON.stringify({ ...VALID, every: 0 }), 'every of Schedule "bad" is 0'],
  endless: [JSON.stringify({ ...VALID, every: 1e300 }), 'every of Schedule "bad"'],
  duration: [JSON.stringify({ ...VALID, every: 'abc' }), 'every of Schedule "bad" is "abc"'],
  cron: [JSON.stringify({ ...VALID, every: undefined, cron: '0 0 * * 1-5~' }), '"0 0 * * 1-5~", which is not valid'],
  both: [JSON.stringify({ ...VALID, cron: '@daily' }), 'and not both'],
  neither: [JSON.stringify({ ...VALID, every: undefined }), 'needs either'],
  zone: [JSON.stringify({ ...VALID, every: undefined, cron: '@daily', timezone: 'Mars/Base' }), '"Mars/Base"'],
  overlap: [JSON.stringify({ ...VALID, overlap: 'queue' }), 'overlap of Schedule "bad"'],
  limit: [JSON.stringify({ ...VALID, limit: 'many' }), 'limit of Schedule "bad"'],
  end: [JSON.stringify({ ...VALID, endsAt: 'tomorrow' }), 'endsAt of Schedule "bad"'],
  since: [JSON.stringify({ ...VALID, since: null }), 'since of Schedule "bad"'],
  id: [JSON.stringify({ ...VALID, id: 'other' }), 'id of Schedule "bad"'],
  source: [JSON.stringify({ ...VALID, source: 5 }), 'source of Schedule "bad"'],
  template: [JSON.stringify({ ...VALID, template: null }), 'template of Schedule "bad"'],
  args: [JSON.stringify({ ...VALID, template: { ...VALID.template, args: 'x' } }), 'args of The template'],
  queue: [JSON.stringify({ ...VALID, template: { ...VALID.template, queue: 'a:b' } }), 'queue of The template'],
  options: [JSON.stringify({ ...VALID, template: { ...VALID.template, options: { attempts: -1 } } }), 'options of'],
};

/** Any process, of any version, may have stored a schedule: it is checked when it is read. */
describeEachDatabase('stored schedules that this version cannot read', (engine) => {
  let booted: Booted;
  let schedules: TaskSchedules;
  let stored: IQueueBackend;

  beforeAll(async () => {
    booted = await boot({ ...(await engine.place()), queues: { default: { concurrency: 50 } } }, [Work]);
    schedules = booted.app.get(TaskSchedules);
    stored = booted.app.get<Queue>(getQueueToken('default')).getBackend().forQueue('_schedules');
    await schedules.upsert('good', { task: 'Work.tick', every: '200ms' });
  });
  afterAll(() => booted.app.close());

  const store = (key: string, text: string) => stored.setQueueMeta({ [`task-queue:${key}`]: text });
  /** Resolves after the workers have read all schedules again, and the good schedule still runs. */
  async function goodRunsAgain(): Promise<void> {
    await booted.app.get(TaskSchedules).pause('declared');
    await schedules.resume('declared');
    const before = Work.runs.entries.length;
    await Work.runs.until((runs) => runs.slice(before).filter((id) => id === 'good').length >= 2);
  }

  it('one schedule that cannot be read stops no other, is listed with the reason, and can be removed', async () => {
    for (const [kind, [text, reason]] of Object.entries(BROKEN)) {
      await store('schedule:bad', text);
      const listed = await schedules.list();
      expect(listed.map(({ id }) => id)).toEqual(['bad', 'declared', 'good']);
      expect([kind, listed[0]?.broken, listed[0]?.nextRun]).toEqual([kind, expect.stringContaining(reason), null]);
      await expect(schedules.get('bad')).resolves.toEqual(listed[0]);
      await expect(schedules.get('good')).resolves.toMatchObject({ broken: null });
      await expect(schedules.runNow('bad')).rejects.toMatchObject({ code: 'CONFIGURATION' });
      await expect(schedules.remove('bad')).resolves.toBe(true);
    }
    await expect(schedules.get('bad')).resolves.toBeUndefined();
  });

  it('the schedules beside those that cannot be read go on', async () => {
    for (const [kind, [text]] of Object.entries(BROKEN)) {
      await store(`schedule:${kind}`, text.replace('"id":"bad"', `"id":"${kind}"`));
    }
    await goodRunsAgain();
    expect(Work.runs.entries).not.toContain('negative');
    for (const kind of Object.keys(BROKEN)) await schedules.remove(kind);
  });

  it('upsert() replaces a schedule that cannot be read', async () => {
    for (const kind of ['text', 'newer', 'negative'] as const) {
      await store('schedule:bad', BROKEN[kind]?.[0] as string);
      const healed = await schedules.upsert('bad', { task: 'Work.tick', every: '200ms' });
      expect(healed).toMatchObject({ broken: null, every: 200, source: 'runtime' });
      const before = Work.runs.entries.length;
      await Work.runs.until((runs) => runs.slice(before).includes('bad'));
    }
    await schedules.remove('bad');
  });

  it('a pause that cannot be read stops the schedule until it is paused, resumed or replaced', async () => {
    const set = () => schedules.upsert('bad', { task: 'Work.tick', every: '200ms' });
    await set();
    for (const heal of [() => schedules.resume('bad'), set]) {
      await store('pause:bad', '{"format":2,"paused":"on holidays"}');
      await expect(schedules.get('bad')).resolves.toMatchObject({ broken: expect.stringContaining('later version') });
      await expect(heal()).resolves.toMatchObject({ broken: null, paused: false });
    }
    await store('pause:bad', 'yes');
    await expect(schedules.pause('bad')).resolves.toMatchObject({ broken: null, paused: true });
    await schedules.remove('bad');
  });

  it('records about runs that cannot be read stop nothing', async () => {
    const now = Date.now();
    for (const text of ['x', '[]', '{"task":5,"at":"x","count":null}', '{"format":2}', '{"because":{},"at":1e30}']) {
      for (const key of ['run:1', 'skip:2', `run:${now}`, 'run:99999999999999999999']) await store(`${key}:good`, text);
      for (const key of ['manual', 'end']) await store(`${key}:good`, text);
      await store(`version:default:${now}`, text);
      await store('unknown:good', text);
      await expect(schedules.list()).resolves.toMatchObject([{ id: 'declared' }, { id: 'good', broken: null }]);
    }
    await goodRunsAgain();
  });

  it('a record without the number of its format, as 0.1.0 stores it, is read', async () => {
    await store('schedule:bad', JSON.stringify({ ...VALID, since: Date.now() }));
    await store('pause:bad', JSON.stringify({ paused: true, at: Date.now() }));
    await expect(schedules.get('bad')).resolves.toMatchObject({ broken: null, paused: true });
    await schedules.resume('bad');
    const before = Work.runs.entries.length;
    await Work.runs.until((runs) => runs.slice(before).includes('bad'));
    await schedules.remove('bad');
  });

  it('a declared schedule of a later version is left alone, and one that cannot be read is set again', async () => {
    await store('schedule:declared', JSON.stringify({ ...VALID, id: 'declared', format: 2 }));
    await goodRunsAgain();
    await expect(schedules.get('declared')).resolves.toMatchObject({
      broken: expect.stringContaining('later version'),
    });
    await expect(schedules.upsert('declared', { task: 'Work.tick', cron: '@daily' })).rejects.toMatchObject({
      code: 'CONFIGURATION',
    });
    await store('schedule:declared', '{');
    await booted.app.get<Engine>(ENGINE).schedules.announce(['schedule:declared']);
    await until(async () => (await schedules.get('declared'))?.broken === null, 'the declared schedule is set again');
    await expect(schedules.get('declared')).resolves.toMatchObject({ cron: '@yearly', source: 'decorator' });
  });
});
