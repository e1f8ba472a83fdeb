import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { Task, type Tasks } from 'nestjs-task-queue';
import { ENGINE } from '../../../lib/task-queue-tokens.js';
import { boot, type Booted } from '../../support/boot.js';
import { describeEachPostgres } from '../../support/engines.js';
import { LogLines } from '../../support/log-lines.js';

@Injectable()
class Mails {
  @Task({ queue: 'mails' })
  async send(_to: string): Promise<void> {}
}

/** The parts of the driver that make BullMQ's own objects, and run statements, on both databases. */
interface Inside {
  readonly driver: {
    readonly classes: { readonly Queue: typeof Queue };
    readonly pools: { readonly queries: { query(text: string, params?: unknown[]): Promise<{ rows: Row[] }> } };
  };
}

type Row = Record<string, unknown>;

describeEachPostgres('tasks that are stored together', (engine) => {
  const log = new LogLines();
  let booted: Booted;
  let mails: Tasks<Mails>;
  let inside: Inside['driver'];
  let native: Queue;

  beforeAll(async () => {
    const options = { ...(await engine.place()), role: 'producer' as const, queues: { mails: { priorities: true } } };
    booted = await boot(options, [Mails], log);
    mails = booted.queue.of(Mails);
    inside = booted.app.get<Inside>(ENGINE).driver;
    native = new inside.classes.Queue('native', { connection: inside.pools.queries });
    await native.waitUntilReady();
  });
  afterAll(async () => {
    await native.close();
    await booted.app.close();
  });

  const query = async (text: string, params: unknown[] = []) => (await inside.pools.queries.query(text, params)).rows;
  const jobsOf = (queue: string) => query('SELECT * FROM job WHERE queue = $1 ORDER BY seq', [queue]);
  const eventsOf = (queue: string) => query('SELECT event, data FROM event WHERE queue = $1 ORDER BY id', [queue]);

  it('have the rows and the events of BullMQ', async () => {
    const handles = [
      ...(await mails.send.enqueueMany([['a'], ['b'], ['"\\ü\u2028']])),
      ...(await mails.send.with({ delay: '1h' }).enqueueMany([['c'], ['d']])),
      ...(await mails.send.with({ priority: 3, retries: 2, delay: '2h' }).enqueueMany([['e'], ['f']])),
    ];
    const own = await jobsOf('mails');
    expect(own.map(({ id }) => id)).toEqual(handles.map(({ id }) => id));
    const entries = own.map(({ id, name, data, opts, priority, delay_ms, added_at_ms }) => ({
      job: {
        ...{ id, name, data: JSON.stringify(data), opts, priority },
        ...{ delay: Number(delay_ms), timestamp: Number(added_at_ms) },
      },
      jobId: id,
    }));
    await native.getBackend().addJobs(entries as never);
    // BullMQ adds a delay to the options, also when there is none.
    const comparable = ({ opts, ...row }: Row): Row => ({
      ...{ ...row, queue: '', seq: 0 },
      opts: { delay: 0, ...(opts as object) },
    });
    expect(own.map(comparable)).toEqual((await jobsOf('native')).map(comparable));
    expect(await eventsOf('mails')).toEqual(await eventsOf('native'));
  });

  it('stand in the order of the calls', async () => {
    const handles = await mails.send
      .with({ queue: 'ordered' })
      .enqueueMany(Array.from({ length: 3_000 }, (_, n) => [`${n}`]));
    expect((await jobsOf('ordered')).map(({ id }) => id)).toEqual(handles.map(({ id }) => id));
  });

  it('make no table, sequence or type, and leave no more events than the queue keeps', async () => {
    const send = mails.send.with({ queue: 'kept' });
    await send.enqueueMany([['a'], ['b']]);
    await query(
      "INSERT INTO meta (queue, field, value) VALUES ('kept', 'opts.maxLenEvents', '100') ON CONFLICT (queue, field) DO UPDATE SET value = '100'",
    );
    const catalog = () => query('SELECT count(*)::int, max(oid::bigint)::text FROM pg_class');
    const before = await catalog();
    for (let round = 0; round < 20; round++) await send.enqueueMany(Array.from({ length: 50 }, (_, n) => [`${n}`]));
    expect(await catalog()).toEqual(before);
    expect((await eventsOf('kept')).length).toBeLessThan(100 + 2 * 256);
    expect(await query("SELECT to_regclass(job_id_seq_name('kept')) AS sequence")).toEqual([{ sequence: null }]);
  });

  it('tables of another version: BullMQ stores them, and the log has one line', async () => {
    await query("INSERT INTO migration (version, name, min_client_version) VALUES (12, 'later', 6)");
    try {
      for (let round = 0; round < 3; round++) {
        const handles = await mails.send.with({ queue: `later-${round}` }).enqueueMany([['a'], ['b'], ['c']]);
        expect((await jobsOf(`later-${round}`)).map(({ id }) => id)).toEqual(handles.map(({ id }) => id));
      }
    } finally {
      await query('DELETE FROM migration WHERE version = 12');
    }
    expect(log.lines.filter((line) => line.includes('do not have version 11'))).toHaveLength(1);
  });
});
