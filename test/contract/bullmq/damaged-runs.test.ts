import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { getQueueToken } from '@nestjs/bullmq';
import { Injectable } from '@nestjs/common';
import type { PgPool, Queue } from 'bullmq';
import pg from 'pg';
import { OnTask, Task, TaskContext, type TaskEvent, type TaskHandle, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../../support/boot.js';
import { describeEachDatabase, describeEachPostgres } from '../../support/engines.js';
import { Gate } from '../../support/gate.js';
import { storedJobs, type Fields, type StoredJobs } from '../../support/stored-jobs.js';
import { until } from '../../support/until.js';

/** So many tasks run, and end, at the same time. */
const TOGETHER = 30;
/** Some of them, between the others. */
const CHOSEN = [0, 11, 12, 29];

@Injectable()
class Work {
  static gate = new Gate();
  static running = 0;
  static runs = new Map<string, number>();
  static heard: string[] = [];

  constructor(private readonly task: TaskContext) {}

  @Task({ retries: 2, backoff: { type: 'fixed', delay: 1 } })
  async held(value: string): Promise<string> {
    const { id } = this.task;
    Work.runs.set(id, (Work.runs.get(id) ?? 0) + 1);
    Work.running++;
    await Work.gate.opened;
    Work.running--;
    return value;
  }

  @Task({ queue: 'reports', retries: 2, backoff: { type: 'fixed', delay: 1 } })
  async reports(value: string): Promise<string> {
    for (const step of [1, 2, 3]) void this.task.progress(`${value} ${step}`).catch(() => undefined);
    return 'done';
  }

  @OnTask('succeeded')
  succeeded({ id }: TaskEvent): void {
    Work.heard.push(id);
  }
}

/** Holds tasks until all run. */
async function holdAll(work: Tasks<Work>, valueOf: (n: number) => string): Promise<TaskHandle<string>[]> {
  const handles = await work.held.enqueueMany(Array.from({ length: TOGETHER }, (_, n): [string] => [valueOf(n)]));
  await until(() => Work.running === TOGETHER, 'all run');
  return handles;
}

beforeEach(() => {
  Work.gate = new Gate();
  Work.runs = new Map();
  Work.heard = [];
  Work.running = 0;
});

interface Damage {
  readonly what: string;
  readonly redis?: Fields;
  readonly postgres?: Fields;
  /** Redis: commands instead of fields; `KEY` is the key of the job. */
  readonly commands?: readonly (readonly string[])[];
}

const both = (field: string, value: unknown): Pick<Damage, 'redis' | 'postgres'> => ({
  redis: { [field]: JSON.stringify(value) },
  postgres: { [field]: JSON.stringify(value) },
});

const DAMAGES: readonly Damage[] = [
  { what: 'options of another form', ...both('opts', 5) },
  { what: 'data of another form', ...both('data', [1]) },
  { what: 'a counter beyond all numbers', redis: { atm: 'abc' }, postgres: { attempts_made: '2147483647' } },
  { what: 'progress that is not JSON', redis: { progress: '{{{' } },
  { what: 'a list in place of its members', commands: [['RPUSH', 'KEY:dependencies', 'x']] },
  {
    what: 'a text in place of its record',
    commands: [
      ['DEL', 'KEY'],
      ['SET', 'KEY', 'x'],
    ],
  },
  { what: 'no record any more', commands: [['DEL', 'KEY']] },
];

describeEachDatabase('a task whose record another program changes while it runs', (engine) => {
  let booted: Booted;
  let work: Tasks<Work>;
  let stored: StoredJobs;

  beforeAll(async () => {
    const place = await engine.place();
    const queues = { default: { concurrency: TOGETHER } };
    booted = await boot({ ...place, queues, abandonedAfter: '3s' }, [Work]);
    work = booted.queue.of(Work);
    stored = storedJobs(engine, place, booted);
  }, 60_000);
  afterAll(async () => {
    Work.gate.open();
    await stored.close();
    await booted.app.close();
  });

  const damages = DAMAGES.filter(({ redis, postgres, commands }) =>
    engine.name === 'redis' ? (redis ?? commands) : postgres,
  );

  it.each(damages)(
    '($what) changes the end of no other that ends with it',
    async ({ redis, postgres, commands }) => {
      const handles = await holdAll(work, (n) => `value ${n}`);
      for (const n of CHOSEN) {
        const { id } = handles[n]!;
        if (engine.name !== 'redis') await stored.change(id, postgres as Fields);
        else if (redis) await stored.change(id, redis);
        else for (const command of commands!) await stored.command(id, ...command);
      }
      Work.gate.open();
      const good = handles.filter((_, n) => !CHOSEN.includes(n));
      const results = await Promise.all(good.map((handle) => handle.result({ timeout: '15s' })));
      expect(results).toEqual(handles.flatMap((_, n) => (CHOSEN.includes(n) ? [] : [`value ${n}`])));
      for (const { id } of good) expect(Work.runs.get(id)).toBe(1);
      await until(() => good.every(({ id }) => Work.heard.includes(id)), 'listeners hear of all');
      expect(new Set(Work.heard).size).toBe(Work.heard.length);
      for (const n of CHOSEN) {
        const handle = handles[n]!;
        const end = async () => {
          const { state } = await handle.status().catch(({ code }: { code: string }) => ({ state: code }));
          return ['succeeded', 'failed', 'TASK_NOT_FOUND'].includes(state);
        };
        await until(end, `damaged task ${handle.id} ends`);
      }
      expect(await (await work.held.enqueue('next')).result({ timeout: '15s' })).toBe('next');
    },
    60_000,
  );
});

describeEachPostgres('a value that the database refuses', (engine) => {
  let booted: Booted;
  let work: Tasks<Work>;

  beforeAll(async () => {
    const queues = { default: { concurrency: TOGETHER } };
    const place = await engine.place();
    booted = await boot({ ...place, queues }, [Work]);
    work = booted.queue.of(Work);
    const queue = booted.app.get<Queue>(getQueueToken('default'));
    const { pool } = (queue.getBackend() as unknown as { connection: { pool: PgPool } }).connection;
    // Only one process opens the folder of the embedded engine.
    const own = engine.name === 'embedded' ? undefined : new pg.Pool({ connectionString: place.connection });
    const database = own ?? (pool as unknown as pg.Pool);
    await database.query(`CREATE FUNCTION ${place.prefix}.refuse_poison() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.return_value::text LIKE '%poison%' OR NEW.progress::text LIKE '%poison%' THEN
    RAISE EXCEPTION 'no poison here';
  END IF;
  RETURN NEW;
END $$`);
    await database.query(
      `CREATE TRIGGER refuse_poison BEFORE UPDATE ON ${place.prefix}.job FOR EACH ROW EXECUTE FUNCTION ${place.prefix}.refuse_poison()`,
    );
    await own?.end();
  }, 60_000);
  afterAll(() => booted.app.close());

  it('as progress is no end of the task', async () => {
    const handles = await work.reports.enqueueMany([['poison'], ['fine']]);
    const results = await Promise.all(handles.map((handle) => handle.result({ timeout: '15s' })));
    expect(results).toEqual(['done', 'done']);
    expect(await handles[0]!.status()).toMatchObject({ attempt: 1, progress: null });
    expect(await handles[1]!.status()).toMatchObject({ attempt: 1, progress: 'fine 3' });
  });

  it('as a result makes its own task fail with the reason, and no other that ends with it', async () => {
    const valueOf = (n: number) => (CHOSEN.includes(n) ? `poison ${n}` : `value ${n}`);
    const handles = await holdAll(work, valueOf);
    Work.gate.open();
    const ends = await Promise.all(
      handles.map((handle) =>
        handle.result({ timeout: '20s' }).catch((error: { cause: { message: string } }) => error.cause.message),
      ),
    );
    const refusal = expect.stringMatching(/succeeded, and the store refuses its result: no poison here/) as unknown;
    expect(ends).toEqual(handles.map((_, n) => (CHOSEN.includes(n) ? refusal : valueOf(n))));
    expect([...Work.runs.values()]).toEqual(handles.map(() => 1));
  }, 60_000);
});
