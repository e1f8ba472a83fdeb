import { getQueueToken } from '@nestjs/bullmq';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Catch, Injectable, UseFilters, type ExceptionFilter, type LoggerService } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { OnTask, Task, TaskContext, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';
import { Gate } from '../support/gate.js';
import { LogLines } from '../support/log-lines.js';
import { until } from '../support/until.js';

/** Ends a line, begins one that looks like another error, clears the terminal and hides the rest. */
const FORGED = 'no\r\nERROR [Billing] all orders are lost\u001b[2J\u001b]0;x\u0007\u2028\u009b8m';
/** A character that ends a line or controls a terminal. */
const CONTROL = /[\p{Cc}\u2028\u2029]/u;

@Catch()
class CrashingFilter implements ExceptionFilter {
  catch(): never {
    throw new TypeError(`Cannot read properties of undefined (${FORGED})`);
  }
}

@Injectable()
class Work {
  static started = new Gate();

  constructor(private readonly task: TaskContext) {}

  @Task()
  async fail(): Promise<void> {
    throw new Error(FORGED);
  }

  @Task({ retries: 1, backoff: { type: 'fixed', delay: 1 } })
  async retried(): Promise<string> {
    if (this.task.attempt === 1) throw new Error(FORGED);
    return 'second';
  }

  @Task({
    retries: 1,
    backoff: { type: 'fixed', delay: 1 },
    retryOn: (error) => (error as { response: { status: number } }).response.status > 500,
  })
  async undecided(): Promise<void> {
    throw new Error(FORGED);
  }

  @Task()
  @UseFilters(CrashingFilter)
  async filtered(): Promise<void> {
    throw new Error(FORGED);
  }

  @Task()
  async careless(): Promise<string> {
    void this.task.progress(Number.NaN);
    void this.task.log(FORGED, FORGED as never);
    return 'goes on';
  }

  @Task({ slow: 20, timeout: 100 })
  async blocking(): Promise<string> {
    const end = performance.now() + 400;
    while (performance.now() < end);
    return 'late';
  }

  @Task()
  async listening(): Promise<void> {
    this.task.signal.addEventListener('abort', () => {
      throw new Error(FORGED);
    });
    Work.started.open();
    await new Promise((_, reject) => {
      this.task.signal.addEventListener('abort', () => reject(this.task.signal.reason as Error));
    });
  }

  @OnTask('failed')
  listener(): never {
    throw new Error(FORGED);
  }
}

/** Refuses every line. */
class BrokenLogger implements LoggerService {
  calls = 0;
  readonly log = this.refuse.bind(this);
  readonly warn = this.refuse.bind(this);
  readonly error = this.refuse.bind(this);
  readonly debug = this.refuse.bind(this);

  private refuse(): never {
    this.calls++;
    throw new Error('the disk of the log is full');
  }
}

const logger = new BrokenLogger();
const log = new LogLines();

describeEachEngine('a logger of the application', (engine) => {
  let booted: Booted;
  let work: Tasks<Work>;

  beforeAll(async () => {
    booted = await boot({ ...(await engine.place()), abandonedAfter: '30s', enqueueTimeout: '20s' }, [Work]);
    work = booted.queue.of(Work);
  }, 60_000);
  afterAll(() => booted.app.close());

  async function endings(): Promise<string[]> {
    Work.started = new Gate();
    const handles = [
      await work.fail.enqueue(),
      await work.retried.enqueue(),
      await work.undecided.enqueue(),
      await work.filtered.enqueue(),
      await work.careless.enqueue(),
      await work.blocking.enqueue(),
      await work.listening.enqueue(),
    ];
    await Work.started.opened;
    await handles.at(-1)!.cancel(FORGED);
    // Nothing waits for the task with the unknown name.
    await booted.queue.of('nobody.declares').enqueue();
    return Promise.all(
      handles.map(async (handle) => {
        await handle.result({ timeout: '25s' }).catch(() => undefined);
        return (await handle.status()).state;
      }),
    );
  }
  const ENDS = ['failed', 'succeeded', 'failed', 'failed', 'succeeded', 'failed', 'cancelled'];

  it('that throws changes the outcome of no task', async () => {
    booted.app.useLogger(logger);
    expect(await endings()).toEqual(ENDS);
    expect(logger.calls).toBeGreaterThan(5);
  }, 60_000);

  it('gets one line for each thing, without control characters that a task has brought', async () => {
    booted.app.useLogger(log);
    expect(await endings()).toEqual(ENDS);
    await until(() =>
      ['failed:', 'next in', 'filter crashed', 'not stored', 'signal'].every((part) =>
        log.lines.some((line) => line.includes(part)),
      ),
    );
    expect(log.lines.filter((line) => CONTROL.test(line))).toEqual([]);
    expect(log.lines).toContainEqual(
      expect.stringContaining(String.raw`failed: no\r\nERROR [Billing] all orders are lost\x1b[2J`),
    );
  }, 60_000);

  if (engine.name !== 'memory') {
    it('gets a name that another client of the store has forged as one line too', async () => {
      booted.app.useLogger(log);
      log.lines.length = 0;
      await booted.app.get<Queue>(getQueueToken('default')).add(`forged ${FORGED}`, { args: [] });
      await until(() => log.lines.some((line) => line.includes('forged no')), 'the unknown task is logged');
      expect(log.lines.filter((line) => CONTROL.test(line))).toEqual([]);
    });
  }
});
