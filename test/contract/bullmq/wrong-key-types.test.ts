import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Redis } from 'ioredis';
import { Schedule, Task, TaskAdmin, TaskProcessor, TaskSchedules } from 'nestjs-task-queue';
import { boot, type Booted } from '../../support/boot.js';
import { LogLines } from '../../support/log-lines.js';
import { Recorder } from '../../support/recorder.js';
import { freePrefix } from '../../support/servers.js';
import { until } from '../../support/until.js';

@Injectable()
class Work {
  readonly ticks = new Recorder<number>();

  @Schedule({ every: '1s' })
  @Task()
  tick(): void {
    this.ticks.record(Date.now());
  }

  @Task()
  async echo(text: string): Promise<string> {
    return text;
  }
}

@TaskProcessor('other')
class Other {
  @Task()
  async echo(text: string): Promise<string> {
    return text;
  }
}

/** Redis alone has types of keys. */
describe('a key of a queue that another program replaced by a text', () => {
  const url = process.env['TEST_REDIS_URL'] as string;
  let redis: Redis;
  let prefix: string;
  let booted: Booted;
  let log: LogLines;

  beforeAll(() => {
    redis = new Redis(url);
  });
  beforeEach(async () => {
    prefix = freePrefix();
    log = new LogLines();
    booted = await boot({ connection: url, prefix }, [Work, Other], log);
    await (await booted.queue.of(Work).echo.enqueue('first')).result({ timeout: '10s' });
  });
  afterEach(async () => {
    await booted.app.close();
    await redis.unlink(await redis.keys(`${prefix}:*`));
  });
  afterAll(() => redis.quit());

  async function forge(key: string): Promise<void> {
    await redis.multi().del(`${prefix}:${key}`).set(`${prefix}:${key}`, 'x').exec();
  }
  const echo = async (of: typeof Work | typeof Other) =>
    (await booted.queue.of(of).echo.enqueue('x')).result({ timeout: '10s' });

  it.each(['default:active', 'default:id', 'default:pc', 'default:marker', 'default:meta', 'default:events'])(
    '%s stops neither its queue nor another',
    async (key) => {
      await forge(key);
      await expect(echo(Other)).resolves.toBe('x');
      await expect(echo(Work)).resolves.toBe('x');
      const names = (await booted.app.get(TaskAdmin).queues()).map(({ name }) => name);
      expect(names).toEqual(['default', 'other']);
    },
  );

  it.each(['_queues:names', '_schedules:meta', '_workers:meta'])(
    '%s is removed by a process that only reads it, with a line that names it',
    async (key) => {
      await forge(key);
      const names = (await booted.app.get(TaskAdmin).queues()).map(({ name }) => name);
      expect(names).toEqual(['default', 'other']);
      await expect(booted.app.get(TaskSchedules).list()).resolves.toEqual(expect.any(Array));
      const ticks = booted.app.get(Work).ticks;
      const before = ticks.entries.length;
      await ticks.until((all) => all.length > before + 1);
      await until(
        () => log.lines.some((line) => line.includes(`"${prefix}:${key}" had another type`)),
        'the log names it',
      );
    },
  );
});
