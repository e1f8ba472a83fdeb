import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TaskQueue, TaskQueueModule, TaskSchedules } from 'nestjs-task-queue';
import type { INestApplication } from '@nestjs/common';
import { InvoiceTasks, TenantGuard } from '../../docs/examples/enhancers.js';
import { ReportsController, ReportTasks } from '../../docs/examples/getting-started.js';
import { Newsletter, SignUp } from '../../docs/examples/producing.js';
import { Results } from '../../docs/examples/results.js';
import { Bank, PaymentTasks } from '../../docs/examples/retries.js';
import { Digest, DigestSettings } from '../../docs/examples/schedules.js';
import { Billing, Checkout, ImportTasks, Mailer, MailTasks, Reports } from '../../docs/examples/tasks.js';
import { describeEachEngine } from '../support/engines.js';

const providers = [
  ...[ReportTasks, Mailer, MailTasks, Reports, ImportTasks, Billing, Checkout, SignUp, Newsletter, Results],
  ...[Bank, PaymentTasks, TenantGuard, InvoiceTasks, Digest, DigestSettings],
];

/** The examples of the guide, in one application: `docs/examples`. */
describeEachEngine('the examples of the guide', (engine) => {
  let app: INestApplication;
  let queue: TaskQueue;

  beforeAll(async () => {
    const place = await engine.place();
    @Module({
      imports: [TaskQueueModule.forRoot({ ...place, queues: { urgent: { priorities: true } }, consume: '*' })],
      controllers: [ReportsController],
      providers,
    })
    class App {}
    app = await NestFactory.create(App, { logger: false, abortOnError: false });
    await app.listen(0, '127.0.0.1');
    queue = app.get(TaskQueue);
  });
  afterAll(() => app.close());

  it('getting started: a request is answered with the address of its task, which has the result', async () => {
    const url = await app.getUrl();
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${url}/reports`, { method: 'POST', headers, body: '{"month":"2026-11"}' });
    expect(answer.status).toBe(202);
    const status = await fetch(`${url}${answer.headers.get('location')}?wait=20`);
    expect(await status.json()).toMatchObject({
      state: 'succeeded',
      progress: { current: 40, total: 40, message: 'rendering' },
      result: { url: '/reports/2026-11.pdf' },
    });
  });

  it('tasks: mails, an import, a contract, an alias', async () => {
    const id = await app.get(SignUp).signUp(1);
    await queue.handle(id).result({ timeout: '10s' });
    expect(app.get(Mailer).sent).toContain(1);
    await expect((await queue.of(ImportTasks).run.enqueue(3)).result({ timeout: '10s' })).resolves.toBe(3);
    await expect((await app.get(Checkout).pay('o-1')).result({ timeout: '10s' })).resolves.toBe('o-1: 1999');
    const old = await queue.of<(month: string) => string>('OldReports.build').enqueue('2026-11');
    await expect(old.result({ timeout: '10s' })).resolves.toBe('/reports/2026-11.pdf');
    await expect((await queue.of(PaymentTasks).charge.enqueue('o-1')).result({ timeout: '10s' })).resolves.toBeNull();
  });

  it('producing: options of a call, many at once, once only', async () => {
    const newsletter = app.get(Newsletter);
    await newsletter.options();
    expect(await newsletter.many()).toHaveLength(3);
    const request = { headers: { 'idempotency-key': 'k' } };
    const first = await newsletter.once(request, 40);
    const second = await newsletter.once(request, 40);
    expect([first.deduplicated, second.deduplicated, second.id]).toEqual([false, true, first.id]);
  });

  it('results: the handle of an id', async () => {
    const { id } = await queue.of(ReportTasks).build.enqueue('2026-12');
    await expect(app.get(Results).follow(id)).resolves.toMatchObject({ url: '/reports/2026-12.pdf' });
  });

  it('enhancers: a guard refuses, a pipe changes an argument', async () => {
    const { send } = queue.of(InvoiceTasks);
    await expect((await send.enqueue({ number: 'A1' }, 2)).result({ timeout: '10s' })).rejects.toThrow('Forbidden');
    const allowed = await send.with({ headers: { tenant: 'acme' } }).enqueue({ number: 'A1' }, 2);
    await expect(allowed.result({ timeout: '10s' })).resolves.toBe('A1 × 2');
  });

  it('schedules: two of a decorator, one that was added', async () => {
    await expect(app.get(DigestSettings).weeklyFor('7')).resolves.toEqual(expect.any(String));
    const ids = (await app.get(TaskSchedules).list()).map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(['digest-7', 'often']));
  });
});
