import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { Task, TaskAdmin, TaskSchedules, type TaskBatch, type Tasks } from 'nestjs-task-queue';
import type { Engine } from '../../../lib/engine/engine.js';
import { ENGINE } from '../../../lib/task-queue-tokens.js';
import { boot, type Booted } from '../../support/boot.js';
import { describeEachDatabase, type Place } from '../../support/engines.js';
import { LogLines } from '../../support/log-lines.js';

@Injectable()
class Work {
  @Task()
  async echo(text: string): Promise<string> {
    return text;
  }

  @Task({ unique: { while: 'running' } })
  async single(text: string): Promise<string> {
    return text;
  }

  @Task({ queue: 'rows', batch: { size: 5, wait: '20ms' } })
  async store(calls: TaskBatch<[number]>): Promise<number[]> {
    return calls.map(({ args: [value] }) => value);
  }
}

/** What may stand where a record of this package is expected. */
const NO_RECORDS = ['', 'no JSON', 'null', '[]', '"text"', '5', '{}', '{"format":1}', '{"format":"1","at":{}}'];

const now = Date.now();
const worker = {
  ...{ format: 1, id: 'forged', host: 'h', pid: 1, version: '0', startedAt: now, seenAt: now },
  ...{ queues: ['default'], tasks: ['Work.echo'], schedules: [], concurrency: { default: 1 } },
};
const WORKERS: readonly string[] = [
  ...NO_RECORDS,
  ...[
    { startedAt: 1e300 },
    { seenAt: 1e300 },
    { startedAt: null },
    { queues: [5] },
    { tasks: 'all' },
    { concurrency: [] },
    { concurrency: { default: 'many' } },
    { concurrency: null },
    { host: {} },
  ].map((change) => JSON.stringify({ ...worker, ...change })),
];

/** Records of a worker that are right but for a part that may be missing. */
const PARTS: readonly object[] = [
  { batchSizes: { rows: -1 } },
  { rateLimits: { default: null } },
  { rateLimits: { default: { max: '1', per: [] } } },
  { tasksOfQueues: { default: 'all' } },
  { shardOfQueues: { default: 5 } },
  { load: 5 },
  { load: { running: [{ id: 'x', name: 'y', since: 1e300 }], runningCount: 1, eventLoopDelay: 1, memory: 1 } },
  { load: { running: [], runningCount: 0, eventLoopDelay: 1, memory: 1, schedulesSince: 1e300 } },
  { application: 5 },
];

/** Records in the metadata of queues: how they are named, and what another program stored there. */
const RECORDS: readonly (readonly [queue: string, field: string, texts: readonly string[]])[] = [
  [
    'rows',
    'task-queue:places',
    [
      ...NO_RECORDS,
      '{"taken":5,"waiting":{}}',
      '{"taken":[["a"],[1,2],["a:1","soon"],null],"waiting":[["b:1",null]]}',
      `{"taken":[["gone:1",${now - 1}],["a:1",-1e300]],"waiting":[["gone:2",${now - 1}]]}`,
    ],
  ],
  ['rows', 'task-queue:runs-at-once', ['', 'many', '-1', '1e400', '0']],
  [
    'default',
    'task-queue:paused-by',
    [...NO_RECORDS, '{"format":1,"by":"ann","at":1e300}', '{"format":1,"by":5,"at":5}'],
  ],
  ['default', 'task-queue:concurrency-by', [...NO_RECORDS, '{"format":1,"by":"ann","at":1e300}']],
  ['default', 'task-queue:rate-limit-by', [...NO_RECORDS, '{"format":1,"by":"ann","at":-1e300}']],
  [
    '_statistics',
    'task-queue:no time',
    [
      ...NO_RECORDS,
      '{"format":1,"sources":[],"queues":[["default",[["Work.echo",["1",-1,1e300,null,{},[],"x","x"]]]]]}',
      '{"format":1,"sources":[{}],"queues":5}',
    ],
  ],
  ['_statistics', `task-queue:${now}:x:0`, ['{"format":1,"sources":["a"],"queues":[[{},[[[],[1]]]]]}']],
  ['_history', `task-queue:${Math.floor(now / 60_000) * 60_000}:1`, NO_RECORDS],
  ['_history', 'task-queue:9e99:1', NO_RECORDS],
  ['_snapshots', 'task-queue:metrics:1', [...NO_RECORDS, '{"at":1e300,"samples":[]}', '{"at":5,"samples":[{}]}']],
  ['_snapshots', 'task-queue:metrics-claim:1', [...NO_RECORDS, '{"by":"x","at":1e300}']],
  ['_schedules', 'task-queue:run:soon:x', NO_RECORDS],
  ['_schedules', 'task-queue:no such kind', NO_RECORDS],
];

describeEachDatabase('a record that another program has changed', (engine) => {
  let place: Place;
  let booted: Booted;
  let work: Tasks<Work>;
  let admin: TaskAdmin;
  const log = new LogLines();

  beforeAll(async () => {
    const queues = { rows: { concurrency: 2, globalConcurrency: 2 } };
    place = await engine.place();
    booted = await boot({ ...place, queues }, [Work], log);
    work = booted.queue.of(Work);
    admin = booted.app.get(TaskAdmin);
  }, 60_000);
  afterAll(() => booted.app.close());

  const meta = (queue: string) => (booted.app.get<Engine>(ENGINE).native(queue) as Queue).getBackend();

  /** Everything that reads such records. */
  async function everything() {
    const [text, row] = await Promise.all([work.echo.enqueue('x'), work.store.enqueue(7)]);
    expect([await text.result({ timeout: '15s' }), await row.result({ timeout: '15s' })]).toEqual(['x', 7]);
    expect((await admin.queues()).map(({ name }) => name)).toEqual(expect.arrayContaining(['default', 'rows']));
    expect(await admin.stats({})).toEqual(expect.any(Array));
    expect(await booted.app.get(TaskSchedules).list()).toEqual([]);
    return admin.workers();
  }

  it('of a worker is removed, with a line that names it, and all others are listed', async () => {
    const keys = WORKERS.map((_, n) => `forged-${n}`);
    await meta('_workers').setQueueMeta(
      Object.fromEntries(keys.map((key, n) => [`task-queue:${key}`, WORKERS[n] as string])),
    );
    log.lines.length = 0;
    expect((await everything()).map(({ pid }) => pid)).toEqual([process.pid]);
    const stored = await meta('_workers').getQueueMetaFields(keys.map((key) => `task-queue:${key}`));
    expect(stored.filter((text) => text !== null && text !== undefined)).toEqual([]);
    for (const key of keys) expect(log.lines.filter((line) => line.includes(`"${key}"`))).toHaveLength(1);
  });

  it('of a worker is shown as far as it can be read', async () => {
    const times = { startedAt: Date.now(), seenAt: Date.now() };
    const records = PARTS.map((part, n) => [
      `task-queue:part-${n}`,
      JSON.stringify({ ...worker, id: `part-${n}`, ...times, ...part }),
    ]);
    await meta('_workers').setQueueMeta(Object.fromEntries(records) as Record<string, string>);
    await everything();
    await meta('_workers').removeQueueMetaFields(records.map(([field]) => field as string));
  });

  it('of a later version is left alone', async () => {
    const text = JSON.stringify({ format: 2, id: 'newer', in: 'another form' });
    await meta('_workers').setQueueMeta({ 'task-queue:newer': text });
    await everything();
    expect(await meta('_workers').getQueueMetaFields(['task-queue:newer'])).toEqual([text]);
    await meta('_workers').removeQueueMetaFields(['task-queue:newer']);
  });

  const rounds = Math.max(...RECORDS.map(([, , texts]) => texts.length));

  it.each(Array.from({ length: rounds }, (_, n) => n))('of each other kind stops nothing (%d)', async (n) => {
    for (const [queue, field, texts] of RECORDS)
      await meta(queue).setQueueMeta({ [field]: texts[n % texts.length] as string });
    await everything();
  });
});
