import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Body, Controller, Injectable, Module, Post, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { ExpressAdapter } from '@nestjs/platform-express';
import { InjectTasks, Task, TaskContext, TaskQueueModule, type TaskStatus, type Tasks } from 'nestjs-task-queue';
import { describeEachEngine } from '../support/engines.js';

@Injectable()
class ReportTasks {
  constructor(private readonly task: TaskContext) {}

  @Task({ retries: 3, timeout: '5m' })
  async build(month: string): Promise<{ url: string }> {
    for (let page = 1; page <= 40; page++) {
      this.task.signal.throwIfAborted();
      await this.task.progress(page, 40, 'rendering');
    }
    return { url: `/reports/${month}.pdf` };
  }
}

@Controller('reports')
class ReportsController {
  constructor(@InjectTasks(ReportTasks) private readonly reports: Tasks<ReportTasks>) {}

  @Post()
  create(@Body() body: { month: string }) {
    return this.reports.build.enqueue(body.month);
  }
}

/** The example of the README, from the web request to the result. */
describeEachEngine('a task of a web request', (engine) => {
  describe.each([
    ['Express', () => new ExpressAdapter()],
    ['Fastify', () => new FastifyAdapter()],
  ])('on %s', (_name, adapter) => {
    let app: INestApplication;
    let url: string;

    beforeAll(async () => {
      @Module({
        imports: [TaskQueueModule.forRoot(await engine.place())],
        controllers: [ReportsController],
        providers: [ReportTasks],
      })
      class AppModule {}
      app = await NestFactory.create(AppModule, adapter(), { logger: false });
      await app.listen(0, '127.0.0.1');
      url = await app.getUrl();
    });
    afterAll(() => app.close());

    const post = (body: unknown) =>
      fetch(`${url}/reports`, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
      });

    it('a client that waits gets the final status', async () => {
      const accepted = await post({ month: '2026-11' });
      expect(accepted.status).toBe(202);
      const location = accepted.headers.get('location') as string;
      expect(await accepted.json()).toEqual({
        id: expect.stringMatching(/^default\./),
        name: 'ReportTasks.build',
        state: 'queued',
        href: location,
      });
      const answer = await fetch(`${url}${location}?wait=20`);
      expect(answer.status).toBe(200);
      expect(await answer.json()).toMatchObject({
        state: 'succeeded',
        progress: { current: 40, total: 40, message: 'rendering' },
        result: { url: '/reports/2026-11.pdf' },
      });
    });

    it('a client that listens to events gets the final status', async () => {
      const { href } = (await (await post({ month: '2026-12' })).json()) as { href: string };
      const stream = await fetch(`${url}${href}`, { headers: { accept: 'text/event-stream' } });
      const events = (await stream.text())
        .split('\n')
        .filter((line) => line.startsWith('data:'))
        .map((line) => JSON.parse(line.slice(5)) as TaskStatus);
      expect(events.at(-1)).toMatchObject({ state: 'succeeded', result: { url: '/reports/2026-12.pdf' } });
    });

    it('a bad request and an unknown task are answered with an error status', async () => {
      const missing = await post({});
      expect(missing.status).toBe(400);
      expect(missing.headers.get('content-type')).toContain('application/problem+json');
      expect((await fetch(`${url}/tasks/default.AAAAAAAAAAAAAAAAAAAAAA`)).status).toBe(404);
    });
  });
});
