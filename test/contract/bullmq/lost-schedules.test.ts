import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Redis } from 'ioredis';
import pg from 'pg';
import { Schedule, Task, TaskContext } from 'nestjs-task-queue';
import { boot, type Booted } from '../../support/boot.js';
import { Recorder } from '../../support/recorder.js';
import { freePrefix } from '../../support/servers.js';

const PERIOD = 500;
/** Milliseconds that a server may take to create the tables again. */
const PATIENCE = 15_000;

@Injectable()
class Work {
  /** The ticks of all processes. */
  static readonly ticks = new Recorder<number>();

  constructor(private readonly task: TaskContext) {}

  @Schedule({ every: PERIOD })
  @Task()
  tick(): void {
    Work.ticks.record(Date.parse(this.task.headers['schedule-tick'] as string));
  }
}

interface Loss {
  readonly what: string;
  readonly connection: string;
  lose(prefix: string): Promise<unknown>;
}

async function inRedis(run: (redis: Redis) => Promise<unknown>): Promise<void> {
  const redis = new Redis(process.env['TEST_REDIS_URL'] as string);
  await run(redis);
  await redis.quit();
}

async function inPostgres(run: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client(process.env['TEST_POSTGRES_URL']);
  await client.connect();
  await run(client);
  await client.end();
}

const unlinkAll = (prefix: string) => inRedis(async (redis) => redis.unlink(await redis.keys(`${prefix}:*`)));
const dropSchema = (prefix: string) => inPostgres((client) => client.query(`DROP SCHEMA ${prefix} CASCADE`));
const truncateTables = (prefix: string) =>
  inPostgres((client) => client.query(`TRUNCATE ${prefix}.meta, ${prefix}.job, ${prefix}.event CASCADE`));

/** The embedded engine does not lose data while a process runs. */
const LOSSES: readonly Loss[] = [
  { what: 'Redis has lost all keys', connection: 'TEST_REDIS_URL', lose: unlinkAll },
  { what: 'PostgreSQL has lost all rows', connection: 'TEST_POSTGRES_URL', lose: truncateTables },
  { what: 'PostgreSQL has lost the tables', connection: 'TEST_POSTGRES_URL', lose: dropSchema },
];

describe.each(LOSSES)('while processes run, $what', ({ connection, lose }) => {
  const place = { connection: process.env[connection] as string, prefix: freePrefix() };
  const running: Booted[] = [];

  beforeAll(async () => {
    Work.ticks.entries.length = 0;
    running.push(await boot(place, [Work]));
  });
  afterAll(async () => {
    await Promise.all(running.map(({ app }) => app.close()));
    await (connection === 'TEST_REDIS_URL' ? unlinkAll : dropSchema)(place.prefix);
  });

  const last = () => Work.ticks.entries.at(-1) ?? 0;
  const ticksAfter = async (time: number, count: number) =>
    (await Work.ticks.until((ticks) => ticks.filter((tick) => tick > time).length >= count))
      .filter((tick) => tick > time)
      .toSorted((a, b) => a - b);

  it('the next tick runs on time, and each tick once, also with a process that starts afterwards', async () => {
    await ticksAfter(0, 3);
    const before = last();
    await lose(place.prefix);
    // A tick that was under way when the data was lost may have lost its task; the ticks after it follow without a gap.
    const [first = 0, second] = await ticksAfter(before, 2);
    // The tables are created by the ping that follows the first failure.
    expect(first - before).toBeLessThanOrEqual(lose === dropSchema ? PATIENCE : 3 * PERIOD);
    expect(second).toBe(first + PERIOD);
    running.push(await boot(place, [Work]));
    const started = last();
    const ticks = await ticksAfter(started, 6);
    expect(ticks).toEqual([...new Set(ticks)]);
    await expect((await running[0]!.queue.of(Work).tick.enqueue()).result({ timeout: '10s' })).resolves.toBeNull();
  });
});
