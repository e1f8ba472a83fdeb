import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { chain, OnTask, Task, TaskAdmin, type TaskEvent, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../../support/boot.js';
import { describeEachEngine } from '../../support/engines.js';
import { createOutbox, transact, type TestDatabase } from '../../support/outbox-database.js';
import { until } from '../../support/until.js';

@Injectable()
class Work {
  readonly enqueued: TaskEvent[] = [];

  @Task()
  double(value: number): number {
    return value * 2;
  }

  @Task({ queue: 'counted' })
  counted(): void {}

  @Task({ queue: 'reports', unique: { while: 'pending' } })
  report(_month: string): void {}

  @OnTask('enqueued')
  protected onEnqueued(event: TaskEvent): void {
    this.enqueued.push(event);
  }
}

let database: TestDatabase;
let booted: Booted;
let work: Tasks<Work>;
let listener: Work;

const eventsOf = (id: string) => listener.enqueued.filter((event) => event.id === id);
const heard = (id: string) => until(() => eventsOf(id).length > 0, `@OnTask('enqueued') is called for ${id}`);

async function open(options: Parameters<typeof boot>[0]): Promise<void> {
  booted = await boot(options, [Work]);
  work = booted.queue.of(Work);
  listener = booted.app.get(Work);
}

async function close(): Promise<void> {
  await booted.app.close();
  await database.close();
}

/** What holds wherever a transaction stores its calls. */
function declareTests(): void {
  it('the event of a call comes once, after the commit and not before', async () => {
    const { adapter, commit } = await database.begin();
    const first = await work.double.in(adapter).enqueue(1);
    const many = await work.double.in(adapter).enqueueMany([[2], [3]]);
    // An event of this process has time to come.
    const outside = await work.double.enqueue(4);
    await heard(outside.id);
    await outside.result({ timeout: '20s' });
    for (const { id } of [first, ...many]) expect(eventsOf(id)).toEqual([]);
    await commit();
    for (const handle of [first, ...many]) {
      await heard(handle.id);
      await handle.result({ timeout: '20s' });
      expect(eventsOf(handle.id)).toEqual([
        expect.objectContaining({ type: 'enqueued', name: 'Work.double', queue: 'default' }),
      ]);
    }
  });

  it('there is none after a rollback', async () => {
    const { adapter, rollback } = await database.begin();
    const gone = await work.double.in(adapter).enqueue(1);
    await rollback();
    const there = await transact(database, (tx) => work.double.in(tx).enqueue(1));
    await heard(there.id);
    expect(eventsOf(gone.id)).toEqual([]);
  });

  it('each task of a workflow has one', async () => {
    const steps = chain(work.double.signature(1), work.double.signature());
    const before = listener.enqueued.length;
    const handle = await transact(database, (tx) => steps.in(tx).enqueue());
    expect(await handle.result({ timeout: '20s' })).toBe(4);
    await heard(handle.id);
    await until(() => listener.enqueued.slice(before).filter(({ name }) => name === 'Work.double').length === 2);
  });

  it('the statistics count committed calls, each once', async () => {
    const counted = async () =>
      (await booted.app.get(TaskAdmin).stats({ queue: 'counted' })).reduce((sum, { enqueued }) => sum + enqueued, 0);
    const { adapter, rollback } = await database.begin();
    await work.counted.in(adapter).enqueueMany([[], [], []]);
    await rollback();
    const handles = await transact(database, (tx) => work.counted.in(tx).enqueueMany([[], []]));
    for (const handle of handles) await handle.result({ timeout: '20s' });
    await until(async () => (await counted()) === 2, 'two calls are counted');
  });
}

describe('@OnTask("enqueued") in transactions of the database of the tasks', () => {
  beforeAll(async () => {
    database = await createOutbox('postgres');
    await open({ connection: database.url });
  });
  afterAll(close);

  declareTests();

  it('a savepoint that is rolled back takes its events along', async () => {
    const { adapter, commit } = await database.begin();
    const first = await work.double.in(adapter).enqueue(1);
    await adapter.query('SAVEPOINT inner_one', []);
    const gone = await work.double.in(adapter).enqueue(2);
    await adapter.query('ROLLBACK TO SAVEPOINT inner_one', []);
    const last = await work.double.in(adapter).enqueue(3);
    await commit();
    await Promise.all([heard(first.id), heard(last.id)]);
    expect(eventsOf(gone.id)).toEqual([]);
  });

  it('a call for which an earlier task stands has none', async () => {
    const report = work.report.with({ queue: 'nobody' });
    const earlier = await report.enqueue('2026-01');
    await heard(earlier.id);
    const [same, other] = await transact(database, (tx) => report.in(tx).enqueueMany([['2026-01'], ['2026-02']]));
    await heard(other?.id ?? '');
    expect(same?.id).toBe(earlier.id);
    expect(eventsOf(earlier.id)).toHaveLength(1);
  });

  it('a process without a listener opens no connection for it', async () => {
    @Injectable()
    class Quiet {
      @Task()
      run(): void {}
    }
    const quiet = await boot({ connection: database.url, role: 'producer' }, [Quiet]);
    const run = quiet.queue.of(Quiet).run;
    await run.enqueue();
    const connections = async () =>
      Number(
        (
          await database.query(`SELECT count(*)::text AS n FROM pg_stat_activity WHERE query LIKE 'LISTEN%commits_%'`)
        )[0]?.['n'],
      );
    const before = await connections();
    await transact(database, (tx) => run.in(tx).enqueue());
    expect(await connections()).toBe(before);
    await quiet.app.close();
  });
});

describeEachEngine('@OnTask("enqueued") of calls that go through an outbox', (engine) => {
  beforeAll(async () => {
    database = await createOutbox('postgres');
    await open({ ...(await engine.place()), outbox: { connection: database.url } });
  });
  afterAll(close);

  declareTests();
});
