import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable, Module, type CanActivate, type ExecutionContext, type INestApplication } from '@nestjs/common';
import { APP_GUARD, NestFactory } from '@nestjs/core';
import type { Request } from 'express';
import type { AddressInfo } from 'node:net';
import { chain, Schedule, Task, TaskQueue, TaskQueueModule } from 'nestjs-task-queue';
import { BoardModule } from '../../support/board.module.js';
import { describeEachDatabase } from '../../support/engines.js';
import { request } from '../../support/http-client.js';

let mayWork = false;

@Injectable()
class Reports {
  @Task()
  first(): number {
    return 1;
  }

  @Task({ queue: 'mail' })
  second(value: number): number {
    if (!mayWork) throw new Error('not yet');
    return value + 1;
  }

  @Schedule('0 3 * * *', { id: 'nightly', timezone: 'Europe/Vienna' })
  @Task({ queue: 'mail' })
  nightly(): void {}
}

@Injectable()
class AdminGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.getType() !== 'http' || context.switchToHttp().getRequest<Request>().headers['x-admin'] === 'yes';
  }
}

/** The parts of bull-board's answer that are checked. */
interface BoardQueue {
  readonly name: string;
  readonly isPaused: boolean;
  readonly hasWorkers: boolean | null;
  readonly jobSchedulerCount: number;
  readonly jobs: readonly { readonly id: string; readonly name: string }[];
}

describeEachDatabase('bull-board behind the guards of Nest', (engine) => {
  let app: INestApplication;
  let base: string;
  const as = (who: 'admin' | 'stranger', path: string, method = 'GET') =>
    request(base, path, { method, headers: who === 'admin' ? { 'x-admin': 'yes' } : {} });
  const queues = async (query = '') => {
    const answer = await as('admin', `/admin/queues/api/queues${query}`);
    return (answer.json() as { queues: BoardQueue[] }).queues;
  };

  beforeAll(async () => {
    mayWork = false;
    const place = await engine.place();
    @Module({
      imports: [TaskQueueModule.forRoot({ ...place, queues: { mail: {} } }), BoardModule],
      providers: [Reports, { provide: APP_GUARD, useClass: AdminGuard }],
    })
    class App {}
    app = await NestFactory.create(App, { logger: false, abortOnError: false });
    await app.listen(0, '127.0.0.1');
    base = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
  });
  afterAll(() => app.close());

  it.each([
    ['GET', '/admin/queues'],
    ['GET', '/admin/queues/api/queues'],
    ['GET', '/admin/queues/static/css/main.css'],
    ['PUT', '/admin/queues/api/queues/mail/pause'],
  ])('%s %s is forbidden to a stranger', async (method, path) => {
    expect((await as('stranger', path, method)).status).toBe(403);
    expect((await queues()).map(({ name, isPaused }) => [name, isPaused])).toEqual([
      ['default', false],
      ['mail', false],
    ]);
  });

  it('serves its page and what the page loads', async () => {
    const page = (await as('admin', '/admin/queues')).text;
    expect(page).toContain('<div id="root">');
    const files = Array.from(page.matchAll(/(?:src|href)="(static\/[^"]+\.(?:js|css))"/g), ([, file]) => file);
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) expect((await as('admin', `/admin/queues/${file}`)).status).toBe(200);
  });

  it('shows the workers, and the schedules of each queue', async () => {
    expect(
      (await queues()).map(({ name, hasWorkers, jobSchedulerCount }) => [name, hasWorkers, jobSchedulerCount]),
    ).toEqual([
      ['default', true, 0],
      ['mail', true, 1],
    ]);
    const answer = await as('admin', '/admin/queues/api/job-schedulers');
    const { schedulers } = answer.json() as { schedulers: object[] };
    expect(schedulers).toMatchObject([
      { id: 'nightly', queueName: 'mail', name: 'Reports.nightly', pattern: '0 3 * * *', tz: 'Europe/Vienna' },
    ]);
  });

  it('a retry there makes the whole workflow run on', async () => {
    const reports = app.get(TaskQueue).of(Reports);
    const handle = await chain(reports.first.signature(), reports.second.signature()).enqueue();
    await expect(handle.result({ timeout: '20s' })).rejects.toThrow('not yet');
    mayWork = true;
    const failed = (await queues('?activeQueue=mail&status=failed')).find(({ name }) => name === 'mail');
    const [job] = failed?.jobs ?? [];
    expect(job).toMatchObject({ name: 'Reports.second' });
    const answer = await as('admin', `/admin/queues/api/queues/mail/${job?.id}/retry`, 'PUT');
    expect(answer).toMatchObject({ status: 204, text: '' });
    await expect(handle.result({ timeout: '20s' })).resolves.toBe(2);
  });
});
