import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module, type CanActivate, type ExecutionContext, type INestApplication } from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR, NestFactory } from '@nestjs/core';
import { Task, TaskQueueModule } from 'nestjs-task-queue';
import { TaskMetrics, TaskMetricsModule } from 'nestjs-task-queue/metrics';
import { Counter, Registry } from 'prom-client';
import { map, type Observable } from 'rxjs';
import { ConfigurationError } from '../../lib/errors.js';
import { platforms } from '../support/http-app.js';
import { request } from '../support/http-client.js';
import { startMetricsApp, type MetricsApp } from '../support/metrics-app.js';

class Mails {
  @Task()
  send(): void {}
}

@Injectable()
class Key {
  readonly value = 'secret';
}

@Module({ providers: [Key], exports: [Key] })
class AuthModule {}

@Injectable()
class KeyGuard implements CanActivate {
  constructor(private readonly key: Key) {}

  canActivate(context: ExecutionContext): boolean {
    return context.switchToHttp().getRequest<{ headers: Record<string, string> }>().headers['x-key'] === this.key.value;
  }
}

const open: { close(): Promise<void> }[] = [];
async function start(...[options, rest]: Parameters<typeof startMetricsApp>): Promise<MetricsApp> {
  const started = await startMetricsApp({ connection: 'memory:', ...options }, { providers: [Mails], ...rest });
  open.push(started.app);
  return started;
}
afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

describe.each(platforms)('the route of TaskMetricsModule on %s', (platform) => {
  it('has the text and the media type of Prometheus, whatever the interceptors of the application do', async () => {
    const intercept = (_: unknown, next: { handle(): Observable<unknown> }) =>
      next.handle().pipe(map((value) => ({ value })));
    const wrap = { provide: APP_INTERCEPTOR, useValue: { intercept } };
    const { url } = await start({}, { platform, providers: [Mails, wrap] });
    const { status, headers, text } = await request(url, '/metrics');
    expect([status, headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
    expect(text).toMatch(/^task_queue_capacity\{queue="default"\} \d+$/m);
  });

  it('runs its guards, with what they inject, and the global ones', async () => {
    const { url } = await start({}, { platform, imports: [AuthModule], guards: [KeyGuard] });
    expect((await request(url, '/metrics')).status).toBe(403);
    expect((await request(url, '/metrics', { headers: { 'x-key': 'secret' } })).status).toBe(200);
    const closed = await start(
      {},
      { platform, providers: [Mails, { provide: APP_GUARD, useValue: { canActivate: () => false } }] },
    );
    expect((await request(closed.url, '/metrics')).status).toBe(403);
  });

  it('has the path of the option behind the global prefix, or is not there', async () => {
    const prefix = (app: INestApplication) => void app.setGlobalPrefix('api');
    const { url } = await start({}, { platform, path: 'internal/metrics', prepare: prefix });
    expect((await request(url, '/api/internal/metrics')).status).toBe(200);
    expect((await request(url, '/metrics')).status).toBe(404);
    const without = await start({}, { platform, path: false });
    expect((await request(without.url, '/metrics')).status).toBe(404);
    await expect(without.app.get(TaskMetrics).text()).resolves.toContain('task_queue_up 1');
  });
});

describe('the registry of TaskMetricsModule', () => {
  it('is one of its own for each application', async () => {
    const [one, other] = [await start({}, {}), await start({}, {})];
    await (await one.queue.of(Mails).send.enqueue()).result();
    const name = 'messaging_client_sent_messages_total';
    expect((await one.scrape()).value(name)).toBe(1);
    expect((await other.scrape()).value(name)).toBeUndefined();
  });

  it("is the application's own when it is given, with its other metrics", async () => {
    const registry = new Registry();
    new Counter({ name: 'orders_total', help: 'Orders.', registers: [registry] }).inc();
    const { scrape } = await start({}, { registry });
    const found = await scrape();
    expect(found.value('orders_total')).toBe(1);
    expect(found.value('task_queue_up')).toBe(1);
  });

  it('may be shared by several applications of a process, and is left clean by the last one', async () => {
    const registry = new Registry();
    const options = { queues: { default: { concurrency: 3 } } };
    const [one, other] = [await start(options, { registry }), await start(options, { registry })];
    for (const { queue } of [one, other]) await (await queue.of(Mails).send.enqueue()).result();
    const found = await one.scrape();
    expect(found.value('messaging_client_sent_messages_total')).toBe(2);
    expect(found.value('task_queue_capacity')).toBe(6);
    await one.app.close();
    expect((await other.scrape()).value('task_queue_up')).toBe(1);
    await other.app.close();
    expect(registry.getMetricsAsArray()).toEqual([]);
    await start({}, { registry });
    await expect(registry.metrics()).resolves.toContain('task_queue_up 1');
  });

  it('must not have metrics of the same names', async () => {
    const registry = new Registry();
    registry.registerMetric(new Counter({ name: 'task_queue_outcomes_total', help: 'Others.', registers: [] }));
    await expect(start({}, { registry })).rejects.toThrow(ConfigurationError);
  });
});

it('forRootAsync takes the options from a factory', async () => {
  const registry = new Registry();
  @Module({
    imports: [
      TaskQueueModule.forRoot({ connection: 'memory:' }),
      TaskMetricsModule.forRootAsync({ path: 'figures', useFactory: () => ({ registry, maxTasks: 3 }) }),
    ],
  })
  class App {}
  const app = await NestFactory.create(App, { logger: false, abortOnError: false });
  open.push(app);
  await app.listen(0, '127.0.0.1');
  expect((await request(await app.getUrl(), '/figures')).text).toContain('task_queue_up 1');
  expect(app.get(TaskMetrics).registry).toBe(registry);
});

it.each([
  ['maxTasks', { maxTasks: -1 }],
  ['interval', { interval: 'often' as never }],
])('a wrong %s is a ConfigurationError', async (_, options) => {
  await expect(start({}, options)).rejects.toThrow(ConfigurationError);
});

it('names that the process does not declare are labels up to a bound', async () => {
  const { queue, scrape } = await start({ role: 'producer' }, { providers: [], maxTasks: 2 });
  for (const name of ['a', 'b', 'c', 'd']) await queue.of(`Others.${name}`).enqueue();
  const tasks = (await scrape())
    .series('messaging_client_sent_messages_total')
    .map(({ labels, value }) => [labels['task'], value]);
  expect(tasks).toEqual([
    ['Others.a', 1],
    ['Others.b', 1],
    ['other', 2],
  ]);
});
