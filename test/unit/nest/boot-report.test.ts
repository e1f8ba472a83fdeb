import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module, type LoggerService, type Provider } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  defineTask,
  InjectTasks,
  Task,
  TaskQueue,
  TaskQueueModule,
  type ProducerOf,
  type Tasks,
  type TaskQueueOptions,
} from 'nestjs-task-queue';
import { BootReport } from '../../../lib/boot-report.js';
import { resolveOptions } from '../../../lib/task-queue-options.js';
import { TaskRegistry } from '../../../lib/tasks/task-registry.js';
import { Gate } from '../../support/gate.js';

/** Collects the lines of the package's logger. */
class Lines implements LoggerService {
  readonly logged: string[] = [];
  readonly warned: string[] = [];
  log(message: unknown, context?: string): void {
    if (context === 'TaskQueue') this.logged.push(String(message));
  }
  warn(message: unknown): void {
    this.warned.push(String(message));
  }
  error(): void {}
}

abstract class Mailer {
  @Task({ queue: 'mail' })
  async send(): Promise<void> {}
}

@Injectable()
class SmtpMailer extends Mailer {}

const charge = defineTask<() => Promise<void>>('billing.charge', { queue: 'billing' });

@Injectable()
class Signup {
  constructor(@InjectTasks(Mailer) readonly mails: Tasks<Mailer>) {}
}

@Injectable()
class Shop {
  @InjectTasks(charge) readonly payments!: ProducerOf<typeof charge>;
}

@Injectable()
class Reports {
  readonly gate = new Gate();

  @Task()
  async build(): Promise<void> {
    await this.gate.opened;
  }
}

const SHARDED: TaskQueueOptions = {
  shards: { media: { connection: 'memory:media', prefix: 'media' } },
  queues: { mail: { shard: 'media' } },
};

describe('an application that starts', () => {
  let close: (() => Promise<void>) | undefined;
  afterEach(async () => {
    await close?.();
    close = undefined;
  });

  async function start(options: TaskQueueOptions, providers: Provider[]) {
    @Module({ imports: [TaskQueueModule.forRoot({ connection: 'memory:', ...options })], providers })
    class App {}
    const lines = new Lines();
    const app = await NestFactory.createApplicationContext(App, { logger: lines, abortOnError: false });
    close = () => app.close();
    const { logged, warned } = lines;
    return { app, logged, warned };
  }

  it.each<[string, TaskQueueOptions, Provider[], string]>([
    ['its queues', {}, [Reports], 'Running the queue default on the memory engine, prefix tasks.'],
    [
      'several queues and the prefix',
      { prefix: 'shop', connection: 'memory:boot-report' },
      [Reports, SmtpMailer],
      'Running the queues default, mail on the memory engine "boot-report", prefix shop.',
    ],
    [
      'that it only enqueues',
      { role: 'producer' },
      [Reports],
      'Enqueuing on the memory engine, prefix tasks. This process runs no tasks, because its role is producer.',
    ],
    [
      'that it has no task',
      {},
      [],
      'Enqueuing on the memory engine, prefix tasks. This process runs no tasks, because none of its providers declares one.',
    ],
    [
      'the queues of each shard',
      { ...SHARDED, connection: 'memory:boot-report' },
      [Reports, SmtpMailer],
      'Running the queue default on the memory engine "boot-report", prefix tasks; the queue mail on the memory engine "media", prefix media.',
    ],
    [
      'the queue of a shard alone',
      { ...SHARDED, connection: 'memory:boot-report', consume: ['mail'] },
      [Reports, SmtpMailer],
      'Running the queue mail on the memory engine "media", prefix media.',
    ],
    [
      'that it only enqueues in several shards',
      { ...SHARDED, connection: 'memory:boot-report', role: 'producer' },
      [Reports],
      'Enqueuing on the memory engine "boot-report", prefix tasks; on the memory engine "media", prefix media (shard media). This process runs no tasks, because its role is producer.',
    ],
  ])('logs %s and the place of its tasks in one line', async (_, options, providers, line) => {
    const { logged, warned } = await start(options, providers);
    expect(logged).toEqual([line]);
    expect(warned).toEqual([]);
  });

  it('warns in production when nothing names a server', async () => {
    const { NODE_ENV, TASK_QUEUE_URL } = process.env;
    process.env['NODE_ENV'] = 'production';
    delete process.env['TASK_QUEUE_URL'];
    try {
      const { warned } = await start({ connection: undefined }, [Reports]);
      expect(warned).toEqual([expect.stringMatching(/^NODE_ENV is "production".*TASK_QUEUE_URL=redis:/)]);
    } finally {
      process.env['NODE_ENV'] = NODE_ENV;
      if (TASK_QUEUE_URL !== undefined) process.env['TASK_QUEUE_URL'] = TASK_QUEUE_URL;
    }
  });

  it('warns of a queue that it consumes without a task, unless the option queues names it', async () => {
    const { warned } = await start({ consume: ['default', 'mial', 'slow'], queues: { slow: {} } }, [Reports]);
    expect(warned).toEqual([
      'This process consumes the queue mial, but none of its tasks has that queue (default). Check the option consume, or name the queue in the option queues.',
    ]);
  });

  it.each<[string, TaskQueueOptions, Provider[], string[]]>([
    [
      'a class that no provider declares',
      {},
      [Signup],
      [
        expect.stringMatching(
          /^Signup injects @InjectTasks\(Mailer\), but .* declares Mailer\.send\. Add Mailer to the providers/,
        ) as never,
      ],
    ],
    ['a class whose subclass is provided', {}, [Signup, SmtpMailer], [expect.stringContaining('useExisting') as never]],
    ['a class of another process, by its role', { role: 'producer' }, [Signup], []],
    ['a class of another process, by its queues', { consume: ['default'] }, [Signup, Reports], []],
    ['a class that is provided', {}, [Signup, { provide: Mailer, useClass: SmtpMailer }], []],
    ['a contract of another process', {}, [Shop, Reports], []],
    [
      'a contract whose queue is consumed',
      { consume: ['billing', 'default'], queues: { billing: {} } },
      [Shop, Reports],
      [
        expect.stringMatching(
          /^Shop injects @InjectTasks\(billing\.charge\), .*Add a method with @Task\(billing\.charge\)/,
        ) as never,
      ],
    ],
  ])('warns of tasks that it injects and nobody will run: %s', async (_, options, providers, warnings) => {
    const { warned } = await start(options, providers);
    expect(warned).toEqual(warnings);
  });

  it('logs what its close waits for, and until when', async () => {
    const { app, logged } = await start({ shutdown: { grace: '20s' } }, [Reports]);
    const { build } = app.get(TaskQueue).of(Reports);
    const handle = await build.enqueue();
    for await (const { state } of handle.updates()) if (state === 'running') break;
    const closing = app.close();
    app.get(Reports).gate.open();
    await closing;
    expect(logged.at(-1)).toMatch(
      /^Closing waits for 1 running task until \d{4}-.*Z \(shutdown\.grace: 20000 ms\): Reports\.build \(default\..*\)\.$/,
    );
  });
});

describe('the warning of a production process without a server', () => {
  it.each([
    ['is logged for the default', {}, {}, 1],
    ['is logged for an empty variable', {}, { TASK_QUEUE_URL: ' ' }, 1],
    ['is not logged when the option names a folder', { connection: 'pglite:.tasks' }, {}, 0],
    ['is not logged when the variable names a server', {}, { TASK_QUEUE_URL: 'redis://localhost' }, 0],
  ])('%s', async (_, options, env, count) => {
    const production = { NODE_ENV: 'production', ...env };
    const warned: string[] = [];
    const report = new BootReport({
      options: resolveOptions(options, production),
      registry: new TaskRegistry(),
      queues: () => [],
      injected: () => [],
    });
    Reflect.set(report, 'logger', { warn: (line: string) => warned.push(line) });
    report.warnOfEngine(production);
    report.warnOfEngine({ NODE_ENV: 'development' });
    expect(warned).toHaveLength(count);
    if (count)
      expect(warned[0]).toMatch(/NODE_ENV is "production".*embedded engine in \/.*\.task-queue.*TASK_QUEUE_URL=/);
  });
});
