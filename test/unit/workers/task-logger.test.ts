import { afterEach, expect, it, jest } from '@jest/globals';
import { Injectable, Logger, Module, type ConsoleLoggerOptions, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Task, TaskContext, TaskLogger, TaskQueue, TaskQueueModule } from 'nestjs-task-queue';

@Injectable()
class Reports {
  private readonly logger = new Logger(Reports.name);

  constructor(private readonly task: TaskContext) {}

  @Task()
  async build(): Promise<object> {
    this.logger.log('rendering');
    await new Promise((resolve) => setImmediate(resolve));
    this.logger.warn('rendered');
    return this.task.logFields();
  }

  @Task()
  async broken(): Promise<void> {
    throw new Error('no paper');
  }
}

let app: INestApplicationContext;
let written: string[];

afterEach(async () => {
  await app.close();
  jest.restoreAllMocks();
  Logger.overrideLogger(['log', 'error', 'warn', 'debug', 'verbose', 'fatal']);
});

async function start(options: ConsoleLoggerOptions) {
  written = [];
  const write = (text: unknown) => {
    written.push(...String(text).trim().split('\n'));
    return true;
  };
  jest.spyOn(process.stdout, 'write').mockImplementation(write);
  jest.spyOn(process.stderr, 'write').mockImplementation(write);
  @Module({ imports: [TaskQueueModule.forRoot({ connection: 'memory:' })], providers: [Reports] })
  class App {}
  app = await NestFactory.createApplicationContext(App, { bufferLogs: true });
  app.useLogger(new TaskLogger(app.get(TaskContext), { colors: false, ...options }));
  app.flushLogs();
  return app.get(TaskQueue).of(Reports);
}

const linesWith = (text: string) => written.filter((line) => line.includes(text));

it('lines of a task name it, after an await too, and other lines stay as they are', async () => {
  const reports = await start({});
  const handle = await reports.build.enqueue();
  await handle.result();
  new Logger('Elsewhere').log('rendering is over');
  for (const text of ['rendering', 'rendered'])
    expect(linesWith(text)[0]).toContain(`[Reports] [Reports.build ${handle.id}] ${text}`);
  expect(linesWith('is over')[0]).toMatch(/\[Elsewhere\] rendering is over$/);
});

it('lines of JSON have fields', async () => {
  const reports = await start({ json: true });
  const handle = await reports.build.enqueue();
  const fields = { task: 'Reports.build', taskId: handle.id, attempt: 1 };
  expect(await handle.result()).toEqual(fields);
  new Logger('Elsewhere').log('rendering is over');
  const [line] = linesWith('rendered');
  expect(JSON.parse(line as string)).toMatchObject({
    level: 'warn',
    context: 'Reports',
    message: 'rendered',
    ...fields,
  });
  expect(JSON.parse(linesWith('is over')[0] as string)).not.toHaveProperty('task');
  expect(app.get(TaskContext).logFields()).toEqual({});
});

it('the lines of this package about a task name it once', async () => {
  const reports = await start({});
  const handle = await reports.broken.enqueue();
  await expect(handle.result()).rejects.toThrow('no paper');
  expect(linesWith('no paper')[0]).toMatch(
    new RegExp(`\\[TaskQueue\\] Task Reports.broken \\(${handle.id}\\) failed: no paper$`),
  );
});
