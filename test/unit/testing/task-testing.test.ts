import { afterEach, expect, it, jest } from '@jest/globals';
import {
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  Injectable,
  Logger,
  type NestInterceptor,
  ParseIntPipe,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  chain,
  defineTask,
  group,
  InjectTasks,
  Schedule,
  Task,
  TaskArg,
  TaskContext,
  TaskFailedError,
  TaskProcessor,
  type ProducerOf,
  TaskQueue,
  TaskQueueModule,
  TaskSchedules,
  type Tasks,
} from 'nestjs-task-queue';
import { TaskTesting, type TaskTestingOptions } from 'nestjs-task-queue/testing';
import { map } from 'rxjs';

class SmtpError extends Error {
  override readonly name = 'SmtpError';
}

@Injectable()
class OnlyAdults implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.getArgByIndex(0) !== 'child';
  }
}

@Injectable()
class Twice implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler<string>) {
    return next.handle().pipe(map((text) => `${text} ${text}`));
  }
}

const charge = defineTask<(order: string, at: Date) => Promise<string>>('billing.charge', { queue: 'billing' });

@TaskProcessor('mail')
class MailTasks {
  readonly sent: string[] = [];

  constructor(private readonly task: TaskContext) {}

  @Task({ retries: 2, backoff: { type: 'fixed', delay: '1m', jitter: 0 } })
  async welcome(user: number, options?: { name: string; at?: Date }): Promise<string> {
    this.sent.push(`welcome ${user} ${this.task.attempt}`);
    return `welcome ${user} ${options?.name ?? 'nobody'}`;
  }

  @Task()
  @UseGuards(OnlyAdults)
  @UseInterceptors(Twice)
  async greet(who: string): Promise<string> {
    return `hello ${who}`;
  }

  @Task()
  async double(@TaskArg(ParseIntPipe) value: number): Promise<number> {
    return value * 2;
  }
}

@Injectable()
class ReportTasks {
  runs = 0;

  constructor(
    private readonly task: TaskContext,
    @InjectTasks(MailTasks) private readonly mails: Tasks<MailTasks>,
    private readonly queue: TaskQueue,
  ) {}

  @Task()
  async build(month: string): Promise<{ month: string; at: Date }> {
    for (let page = 1; page <= 3; page++) await this.task.progress(page, 3);
    await this.task.log(`built ${month}`);
    await this.mails.welcome.enqueue(1);
    await this.mails.welcome.enqueue(2);
    return { month, at: new Date(0) };
  }

  @Task()
  async again(): Promise<void> {
    await this.queue.of(ReportTasks).forever.enqueue(1);
  }

  @Task()
  async forever(round: number): Promise<void> {
    await this.queue.of(ReportTasks).forever.enqueue(round + 1);
  }

  @Task()
  async later(): Promise<void> {
    this.task.retry({ in: '10s' });
  }

  @Task()
  async fan(): Promise<number[]> {
    return this.task.replaceWith(group([this.mails.double.signature(1), this.mails.double.signature(2)]));
  }

  @Task()
  async waits(): Promise<string> {
    return (await this.mails.welcome.enqueue(9)).result();
  }

  @Task({ retries: 1 })
  async counted(): Promise<number> {
    return ++this.runs;
  }

  @Task({ timeout: '1m' })
  async hangs(): Promise<void> {
    await new Promise(() => undefined);
  }

  @Task(charge)
  async charge(order: string): Promise<string> {
    return order;
  }
}

@Injectable()
class Shop {
  constructor(
    @InjectTasks(MailTasks) readonly mails: Tasks<MailTasks>,
    @InjectTasks(ReportTasks) readonly reports: Tasks<ReportTasks>,
    @InjectTasks(charge) readonly billing: ProducerOf<typeof charge>,
  ) {}
}

@Injectable()
class Nightly {
  readonly ticks: number[] = [];

  constructor(private readonly task: TaskContext) {}

  @Schedule({ every: '10m' }, { id: 'often' })
  @Task()
  async tick(): Promise<void> {
    this.ticks.push(Date.parse(this.task.headers['schedule-tick'] as string));
  }
}

let moduleRef: TestingModule | undefined;
afterEach(async () => {
  await moduleRef?.close();
  jest.restoreAllMocks();
});

async function start(options: TaskTestingOptions = {}, init = false) {
  jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
  jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  jest.spyOn(Logger.prototype, 'log').mockImplementation(() => undefined);
  const builder = Test.createTestingModule({
    // A server that does not exist: the kit replaces the connection.
    imports: [TaskQueueModule.forRoot({ connection: 'redis://nowhere:1', prefix: '{shop}' })],
    providers: [MailTasks, ReportTasks, Nightly, Shop, OnlyAdults],
  });
  moduleRef = await TaskTesting.configure(builder, options).compile();
  if (init) await moduleRef.init();
  return { tasks: moduleRef.get(TaskTesting), shop: moduleRef.get(Shop), mail: moduleRef.get(MailTasks) };
}

it('enqueued() shows what waits, by class, by method and by contract, as it comes out of JSON', async () => {
  const { tasks, shop } = await start();
  await shop.mails.welcome
    .with({ headers: { tenant: 'acme' }, delay: '1h' })
    .enqueue(17, { name: 'Ann', at: new Date(0) });
  await shop.billing.enqueue('o1', new Date(0));
  const [first] = tasks.enqueued(MailTasks, 'welcome');
  expect(first).toMatchObject({
    name: 'MailTasks.welcome',
    queue: 'mail',
    args: [17, { name: 'Ann', at: '1970-01-01T00:00:00.000Z' }],
    headers: { tenant: 'acme' },
    state: 'scheduled',
  });
  expect((first?.runAt?.getTime() ?? 0) - Date.now()).toBeGreaterThan(3_590_000);
  expect(tasks.enqueued(charge).map(({ args: [order, at] }) => [order, at])).toEqual([
    ['o1', '1970-01-01T00:00:00.000Z'],
  ]);
  expect(tasks.enqueued(ReportTasks).map(({ name }) => name)).toEqual(['billing.charge']);
  expect(tasks.enqueued()).toHaveLength(2);
});

it('expectEnqueued() finds a task by its arguments, also with matchers', async () => {
  const { tasks, shop } = await start();
  await shop.mails.welcome.enqueue(17, { name: 'Ann', at: new Date(0) });
  expect(tasks.expectEnqueued(MailTasks, 'welcome').args[0]).toBe(17);
  tasks.expectEnqueued(MailTasks, 'welcome', [17, { name: 'Ann', at: new Date(0) }]);
  tasks.expectEnqueued(MailTasks, 'welcome', [expect.any(Number), expect.objectContaining({ name: 'Ann' })]);
  tasks.expectNothingEnqueued(ReportTasks);
  tasks.expectNothingEnqueued(MailTasks, 'greet');
  tasks.expectNothingEnqueued(MailTasks, 'welcome', [18]);
  tasks.expectNothingEnqueued(charge);
});

it('a failed expectation tells what was expected, and what is enqueued instead, the nearest first', async () => {
  const { tasks, shop } = await start();
  expect(() => tasks.expectEnqueued(MailTasks, 'welcome', [17])).toThrow('Nothing is enqueued.');
  await shop.reports.build.enqueue('2026-11');
  await shop.mails.greet.enqueue('Ann');
  await shop.mails.welcome.enqueue(18, { name: 'Bob' });
  expect(() => tasks.expectEnqueued(MailTasks, 'welcome', [17, { name: 'Bob' }])).toThrow(
    [
      "Expected to be enqueued: MailTasks.welcome(17, { name: 'Bob' })",
      'Enqueued instead, the nearest first:',
      "  MailTasks.welcome(18, { name: 'Bob' })",
      '      args[0]: expected 17, enqueued 18',
      "  MailTasks.greet('Ann')",
      "  ReportTasks.build('2026-11')",
    ].join('\n'),
  );
  expect(() => tasks.expectNothingEnqueued(MailTasks, 'welcome')).toThrow(
    "Expected not to be enqueued: MailTasks.welcome with any arguments\nEnqueued:\n  MailTasks.welcome(18, { name: 'Bob' })",
  );
  expect(() => tasks.expectNothingEnqueued()).toThrow('any task');
});

it('run() runs one attempt in place and tells all that happened', async () => {
  const { tasks } = await start();
  const run = await tasks.run(ReportTasks, 'build', '2026-11');
  expect(run).toMatchObject({
    outcome: 'succeeded',
    result: { month: '2026-11', at: '1970-01-01T00:00:00.000Z' },
    error: undefined,
    progress: [1, 2, 3].map((current) => ({ current, total: 3 })),
    logs: ['built 2026-11'],
    enqueued: [{ args: [1] }, { args: [2] }],
  });
  expect(tasks.enqueued().map(({ name }) => name)).toEqual(['MailTasks.welcome', 'MailTasks.welcome']);
});

it('replay() runs one attempt of a task by its name, as often as it was tried', async () => {
  const { tasks, mail } = await start();
  const run = await tasks.replay({ name: 'MailTasks.welcome', args: [7, { name: 'Ann' }], attempt: 3 });
  expect(run).toMatchObject({ outcome: 'succeeded', result: 'welcome 7 Ann' });
  expect(mail.sent).toEqual(['welcome 7 3']);
  await expect(tasks.replay({ name: 'MailTasks.gone', args: [] })).rejects.toThrow(
    'No provider of the testing module declares the task "MailTasks.gone".',
  );
});

it('run() goes through guards, interceptors and pipes, and returns errors', async () => {
  const { tasks } = await start();
  expect(await tasks.run(MailTasks, 'greet', 'Ann')).toMatchObject({
    outcome: 'succeeded',
    result: 'hello Ann hello Ann',
  });
  expect(await tasks.run(MailTasks, 'greet', 'child')).toMatchObject({ outcome: 'failed', error: { status: 403 } });
  expect(await tasks.run(MailTasks, 'double', '21' as never)).toMatchObject({ result: 42 });
  expect(await tasks.run(MailTasks, 'double', 'x' as never)).toMatchObject({ outcome: 'failed' });
  const error = new SmtpError('no route');
  tasks.failNext(MailTasks, 'welcome', error);
  const retry = await tasks.run(MailTasks, 'welcome', 1);
  expect(retry).toMatchObject({ outcome: 'retry', delay: 60_000 });
  expect(retry.error).toBe(error);
  expect(await tasks.run(ReportTasks, 'later')).toMatchObject({ outcome: 'postponed', delay: 10_000 });
  expect(await tasks.run(ReportTasks, 'fan')).toMatchObject({ outcome: 'replaced' });
  expect(await tasks.run(charge, 'o1', new Date(0))).toMatchObject({ result: 'o1' });
  await expect(tasks.run(MailTasks, 'greet', 1n as never)).rejects.toMatchObject({ code: 'NOT_SERIALIZABLE' });
});

it('drain() runs what is due and what that enqueues, in order', async () => {
  const { tasks, shop, mail } = await start();
  const report = await shop.reports.build.enqueue('2026-11');
  await shop.mails.welcome.enqueue(3);
  await shop.mails.welcome.with({ delay: '1h' }).enqueue(4);
  expect(await tasks.drain()).toMatchObject({ succeeded: 4, failed: 0, failures: [] });
  expect(mail.sent).toEqual(['welcome 3 1', 'welcome 1 1', 'welcome 2 1']);
  expect(await report.result()).toMatchObject({ month: '2026-11' });
  expect(await tasks.drain()).toMatchObject({ succeeded: 0 });
  await tasks.advance('1h');
  expect(mail.sent).toHaveLength(3);
  await tasks.drain();
  expect(mail.sent.at(-1)).toBe('welcome 4 1');
});

it('drain() runs workflows, and tasks that become workflows', async () => {
  const { tasks, shop } = await start();
  const { double } = shop.mails;
  const steps = await chain(double.signature(1), double.signature()).enqueue();
  const whole = await chain(double.signature(1), group([double.signature(), double.signature()])).enqueue();
  const fan = await shop.reports.fan.enqueue();
  expect(tasks.enqueued().map(({ state }) => state)).toContain('waiting');
  await tasks.drain();
  expect(await steps.result()).toBe(4);
  expect([await whole.result(), await fan.result()]).toEqual([
    [4, 4],
    [2, 4],
  ]);
});

it('drain() follows the retries as the clock is moved, and throws the error of the task', async () => {
  const { tasks, shop } = await start();
  const error = new SmtpError('no route');
  const handle = await shop.mails.welcome.enqueue(1);
  tasks.failNext(MailTasks, 'welcome', error, { times: 2 });
  expect(await tasks.drain()).toMatchObject({ retrying: 1 });
  await tasks.advance('1m');
  expect(await tasks.drain()).toMatchObject({ retrying: 1, failures: [] });
  await tasks.advance('1m');
  // A schedule of ten minutes may be due too.
  expect((await tasks.drain()).succeeded).toBeGreaterThanOrEqual(1);
  expect(await handle.status()).toMatchObject({ state: 'succeeded', attempt: 3 });

  await shop.mails.double.enqueue(1);
  tasks.failNext(MailTasks, 'double', error);
  const thrown: unknown = await tasks.drain().catch((failure: unknown) => failure);
  expect(thrown).toBeInstanceOf(TaskFailedError);
  expect((thrown as Error).cause).toBe(error);
  await shop.mails.double.enqueue(1);
  tasks.failNext(MailTasks, 'double', error);
  expect(await tasks.drain({ failures: 'collect' })).toMatchObject({ failed: 1, failures: [{ cause: error }] });
});

it('drain() ends on tasks without an end, and the error shows them', async () => {
  const { tasks, shop } = await start();
  await shop.reports.again.enqueue();
  await expect(tasks.drain({ limit: 20 })).rejects.toThrow(
    /The tasks have no end: 20 of them enqueued each other in a row[^]*ReportTasks\.forever\(19\) enqueued\n {2}ReportTasks\.forever\(20\)/,
  );
});

it('a task that waits for the result of another one gets it in drain() and in run()', async () => {
  const { tasks, shop } = await start();
  const handle = await shop.reports.waits.enqueue();
  await tasks.drain();
  expect(await handle.result()).toBe('welcome 9 nobody');
  expect(await tasks.run(ReportTasks, 'waits')).toMatchObject({ result: 'welcome 9 nobody' });
});

it('runTwice() shows whether a task is idempotent', async () => {
  const { tasks, shop } = await start();
  const handle = await shop.reports.counted.enqueue();
  expect(await tasks.runTwice(handle)).toMatchObject([{ result: 1 }, { result: 2 }]);
  expect(await handle.result()).toBe(2);
  expect(await tasks.runTwice(handle)).toMatchObject([{ result: 3 }, { result: 4 }]);
  expect(await handle.result()).toBe(2);
});

it('advance() moves delays and expiry, also with faked timers', async () => {
  const { tasks, shop } = await start();
  const handle = await shop.mails.welcome.with({ expires: '10m' }).enqueue(1);
  await tasks.advance('11m');
  expect(await handle.status()).toMatchObject({ state: 'expired' });
  expect(await tasks.drain()).toMatchObject({ expired: 1 });
  jest.useFakeTimers();
  try {
    const delayed = await shop.mails.welcome.with({ delay: '5m' }).enqueue(2);
    jest.setSystemTime(Date.now() + 300_000);
    await tasks.drain();
    expect(await delayed.result()).toBe('welcome 2 nobody');
  } finally {
    jest.useRealTimers();
  }
});

it('schedules run through drain(), tick by tick, from the start of the test on', async () => {
  // The clock stands still, so that no tick comes in between.
  jest.spyOn(Date, 'now').mockReturnValue(Date.UTC(2026, 0, 1, 0, 5));
  const { tasks } = await start();
  const nightly = moduleRef?.get(Nightly) as Nightly;
  await tasks.drain();
  expect(nightly.ticks).toEqual([]);
  await tasks.advance('1h');
  expect(nightly.ticks).toEqual([]);
  expect(await tasks.drain()).toMatchObject({ succeeded: 6 });
  const [first = 0] = nightly.ticks;
  expect(nightly.ticks.map((tick) => tick - first)).toEqual([0, 1, 2, 3, 4, 5].map((index) => index * 600_000));
  const schedules = moduleRef?.get(TaskSchedules) as TaskSchedules;
  await schedules.pause('often');
  await schedules.upsert('made', { task: 'Nightly.tick', every: '30m' });
  await tasks.advance('1h');
  expect(await tasks.drain()).toMatchObject({ succeeded: 2 });
  tasks.reset();
  await tasks.drain();
  expect((await schedules.list()).map(({ id, paused }) => [id, paused])).toEqual([['often', false]]);
  await tasks.advance('10m');
  expect(await tasks.drain()).toMatchObject({ succeeded: 1 });
});

it('reset() removes all tasks, planned failures and what was added to the clock', async () => {
  const { tasks, shop, mail } = await start();
  await shop.mails.welcome.enqueue(1);
  tasks.failNext(MailTasks, 'welcome', new Error('planned'));
  await tasks.advance('1d');
  tasks.reset();
  tasks.expectNothingEnqueued();
  await shop.mails.welcome.with({ delay: '1h' }).enqueue(2);
  await tasks.drain();
  expect(mail.sent).toEqual([]);
  await shop.mails.welcome.enqueue(3);
  await tasks.drain();
  expect(mail.sent).toEqual(['welcome 3 1']);
});

it('inline: a task runs while it is enqueued, with its retries, and enqueue() does not throw its error', async () => {
  const { tasks, shop, mail } = await start({ mode: 'inline' });
  tasks.failNext(MailTasks, 'welcome', new SmtpError('no route'), { times: 2 });
  const handle = await shop.mails.welcome.with({ delay: '1h' }).enqueue(1);
  expect(await handle.status()).toMatchObject({ state: 'succeeded', attempt: 3 });
  tasks.failNext(MailTasks, 'welcome', new SmtpError('no route'), { times: 3 });
  expect(await (await shop.mails.welcome.enqueue(2)).status()).toMatchObject({ state: 'failed' });
  const handles = await Promise.all([3, 4, 5].map((user) => shop.mails.welcome.enqueue(user)));
  expect(await Promise.all(handles.map(async (one) => (await one.status()).state))).toEqual(Array(3).fill('succeeded'));
  expect(await (await shop.reports.build.enqueue('2026-11')).status()).toMatchObject({ state: 'succeeded' });
  expect(mail.sent).toEqual(['welcome 1 3', 'welcome 3 1', 'welcome 4 1', 'welcome 5 1', 'welcome 1 1', 'welcome 2 1']);
  tasks.expectEnqueued(MailTasks, 'welcome', [5]);
  expect(await (await shop.reports.waits.enqueue()).result()).toBe('welcome 9 nobody');
});

it('workers: tasks run as in production, and delays end when the clock is moved', async () => {
  const { tasks, shop } = await start({ mode: 'workers' }, true);
  expect(await (await shop.mails.greet.enqueue('Ann')).result()).toBe('hello Ann hello Ann');
  const later = await shop.mails.welcome.with({ delay: '1h' }).enqueue(1);
  await tasks.advance('1h');
  expect(await later.result({ timeout: '10s' })).toBe('welcome 1 nobody');
});

it('context() and lenient give code outside of a queue a task', async () => {
  const { tasks, mail } = await start();
  await expect(mail.welcome(1)).rejects.toThrow('No task is running here');
  await tasks.context({ attempt: 2, headers: { tenant: 'acme' } }, () => mail.welcome(1));
  expect(mail.sent).toEqual(['welcome 1 2']);
  await moduleRef?.close();
  const lenient = await start({ lenient: true });
  expect(await lenient.mail.welcome(1)).toBe('welcome 1 nobody');
});

it('an application is closed at once while a task hangs', async () => {
  const { tasks, shop } = await start();
  await shop.reports.hangs.enqueue();
  void tasks.drain();
  const begun = performance.now();
  await moduleRef?.close();
  expect(performance.now() - begun).toBeLessThan(3_000);
});

it('an application whose workers run a hanging task is closed soon', async () => {
  const { shop } = await start({ mode: 'workers' }, true);
  const handle = await shop.reports.hangs.enqueue();
  for await (const { state } of handle.updates()) if (state === 'running') break;
  const begun = performance.now();
  await moduleRef?.close();
  expect(performance.now() - begun).toBeLessThan(10_000);
});

it('producers() are typed fakes for unit tests', async () => {
  const reports = TaskTesting.producers(ReportTasks);
  await reports.build.enqueue('2026-11');
  await reports.build.with({ delay: '1h' }).enqueue('2026-12');
  expect(reports.build.enqueued.map(({ args }) => args)).toEqual([['2026-11'], ['2026-12']]);
  expect(reports.later.enqueued).toEqual([]);
  const fake = TaskTesting.producers(charge);
  await fake.enqueue('o1', new Date(0));
  expect(fake.enqueued).toMatchObject([{ name: 'billing.charge', state: 'queued' }]);
});
