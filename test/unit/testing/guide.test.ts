import { afterAll, afterEach, beforeEach, expect, it } from '@jest/globals';
import { Controller, Injectable, Module, Post } from '@nestjs/common';
import { chord, defineTask, InjectTasks, Task, TaskQueue, TaskQueueModule, type Tasks } from 'nestjs-task-queue';
import { Test } from '@nestjs/testing';
import { TaskTesting } from 'nestjs-task-queue/testing';
import { taskMatchers } from 'nestjs-task-queue/testing/matchers';
import type { TaskMatchers } from 'nestjs-task-queue/testing/matchers';

/* eslint-disable no-shadow -- the examples are those of the page, each by itself */
/** The examples of docs/testing.md, in their order, with the application that they need. `test/unit/guide.test.ts` compares them. */

class SmtpError extends Error {}
const charge = defineTask<(order: string) => void>('billing.charge');
const payments: string[] = [];
const transaction = { dialect: 'postgres' as const, query: async () => [] };

@Injectable()
class MailTasks {
  @Task({ retries: 2, backoff: { type: 'fixed', delay: '10s', max: '10s' } })
  welcome(_user: number, _how?: { name: string }): void {}

  @Task()
  goodbye(_user: number): void {}

  @Task()
  confirm(_order: number): void {}
}

@Injectable()
class ReportTasks {
  @Task()
  async build(month: string): Promise<{ url: string }> {
    return { url: `/reports/${month}.pdf` };
  }

  @Task()
  render(page: number): number {
    return page;
  }

  @Task()
  bind(pages: number[]): string {
    return `2026-${pages.length}.pdf`;
  }
}

@Injectable()
class Billing {
  @Task(charge)
  charge(order: string): void {
    if (!payments.includes(order)) payments.push(order);
  }
}

@Controller('reports')
class ReportController {
  constructor(@InjectTasks(ReportTasks) private readonly reports: Tasks<ReportTasks>) {}

  @Post()
  create(month: string) {
    return this.reports.build.enqueue(month);
  }
}

@Injectable()
class Orders {
  constructor(@InjectTasks(MailTasks) private readonly mails: Tasks<MailTasks>) {}

  async place({ id }: { id: number }): Promise<void> {
    await this.mails.confirm.in(transaction).enqueue(id);
  }
}

@Module({
  imports: [TaskQueueModule.forRoot()],
  providers: [MailTasks, ReportTasks, Billing, Orders],
  controllers: [ReportController],
})
class AppModule {}

const builder = Test.createTestingModule({ imports: [AppModule] });
const moduleRef = await TaskTesting.configure(builder).compile();
const tasks = moduleRef.get(TaskTesting);

afterEach(() => tasks.reset());
afterAll(() => moduleRef.close());

const queue = moduleRef.get(TaskQueue);
const [mails, reports, billing] = [queue.of(MailTasks), queue.of(ReportTasks), { charge: queue.of(charge) }];
beforeEach(() => void payments.splice(0));

it('what was enqueued', async () => {
  await mails.welcome.enqueue(17, { name: 'Ann' });
  tasks.enqueued(MailTasks, 'welcome'); // [{ id, name, queue, args, headers, options, state, runAt }]
  tasks.enqueued(MailTasks); // of all tasks of a class
  tasks.enqueued(charge); // of a contract
  tasks.enqueued(); // all of them

  tasks.expectEnqueued(MailTasks, 'welcome', [17, expect.objectContaining({ name: 'Ann' })]);
  tasks.reset();

  tasks.expectNothingEnqueued(MailTasks); // where the code should enqueue none
});

it('one attempt of a task', async () => {
  const run = await tasks.run(ReportTasks, 'build', '2026-11');
  expect(run).toMatchObject({ outcome: 'succeeded', result: { url: '/reports/2026-11.pdf' } });
});

it('all that is due', async () => {
  const pages = Array.from({ length: 11 }, (_, page) => page);
  const handle = await chord(
    pages.map((page) => reports.render.signature(page)),
    reports.bind.signature(),
  ).enqueue();
  await tasks.drain();
  expect(await handle.result()).toBe('2026-11.pdf');
});

it('transactions', async () => {
  const builder = Test.createTestingModule({ imports: [AppModule] });
  TaskTesting.configure(builder, { transactions: 'hold' });
  const moduleRef = await builder.compile();
  const [tasks, orders] = [moduleRef.get(TaskTesting), moduleRef.get(Orders)];
  const order = { id: 1 };

  await orders.place(order); // enqueues in its transaction
  tasks.expectNothingEnqueued();
  await tasks.commit();
  tasks.expectEnqueued(MailTasks, 'confirm', [order.id]);
  tasks.rollback(); // drops what was enqueued in transactions since the commit
  await moduleRef.close();
});

it('time', async () => {
  await reports.build.with({ delay: '1h' }).enqueue('2026-11');
  await tasks.advance('1h');
  await tasks.drain();
  expect(tasks.enqueued(ReportTasks, 'build')).toEqual([]);
});

it('failures', async () => {
  tasks.failNext(MailTasks, 'welcome', new SmtpError('no route'), { times: 2 });
  await mails.welcome.enqueue(17);
  await tasks.drain(); // { retrying: 1 }
  await tasks.advance('10s');
  await tasks.drain(); // the second attempt fails too
  await tasks.advance('10s');
  expect(await tasks.drain()).toMatchObject({ succeeded: 1 });
});

it('twice', async () => {
  const handle = await billing.charge.enqueue('order-1');
  await tasks.runTwice(handle);
  expect(payments).toHaveLength(1);
});

it('the context of a direct call', async () => {
  const reports = moduleRef.get(ReportTasks);
  await tasks.context({ attempt: 2, headers: { tenant: 'acme' } }, () => reports.build('2026-11'));
});

it('fakes of producers', async () => {
  const reports = TaskTesting.producers(ReportTasks);
  await new ReportController(reports).create('2026-11');
  expect(reports.build.enqueued).toMatchObject([{ args: ['2026-11'] }]);
});

it('matchers', async () => {
  await mails.welcome.enqueue(17);
  expect.extend(taskMatchers);
  expect(tasks).toHaveEnqueued(MailTasks, 'welcome', [17]);
  expect(tasks).not.toHaveEnqueued(MailTasks, 'goodbye');
  const names: (keyof TaskMatchers<void>)[] = ['toHaveEnqueued'];
  expect(Object.keys(taskMatchers)).toEqual(names);
});
