import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Redis } from 'ioredis';
import { Schedule, Task, TaskContext } from 'nestjs-task-queue';
import { boot, type Booted } from '../../support/boot.js';
import { Recorder } from '../../support/recorder.js';
import { freePrefix } from '../../support/servers.js';

const PERIOD = 500;

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

/** PostgreSQL and the embedded engine do not lose data while processes run. */
describe('schedules whose data Redis has lost', () => {
  const place = { connection: process.env['TEST_REDIS_URL'] as string, prefix: freePrefix() };
  const running: Booted[] = [];
  let redis: Redis;

  beforeAll(async () => {
    redis = new Redis(place.connection);
    running.push(await boot(place, [Work]));
  });
  afterAll(async () => {
    await Promise.all(running.map(({ app }) => app.close()));
    await redis.unlink(await redis.keys(`${place.prefix}:*`));
    await redis.quit();
  });

  const last = () => Work.ticks.entries.at(-1) ?? 0;
  const ticksAfter = async (time: number, count: number) =>
    (await Work.ticks.until((ticks) => ticks.filter((tick) => tick > time).length >= count))
      .filter((tick) => tick > time)
      .toSorted((a, b) => a - b);

  it('the next tick runs on time, and each tick once, also with a process that starts afterwards', async () => {
    await ticksAfter(0, 3);
    const before = last();
    await redis.unlink(await redis.keys(`${place.prefix}:*`));
    // A tick that was under way when the data was lost may have lost its task; the ticks after it follow without a gap.
    const [first = 0, second] = await ticksAfter(before, 2);
    expect(first - before).toBeLessThanOrEqual(3 * PERIOD);
    expect(second).toBe(first + PERIOD);
    running.push(await boot(place, [Work]));
    const started = last();
    const ticks = await ticksAfter(started, 6);
    expect(ticks).toEqual([...new Set(ticks)]);
  });
});
