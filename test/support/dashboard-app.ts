import { Module, type CanActivate, type DynamicModule, type ExecutionContext, type Provider } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { TaskAdmin, TaskQueue, TaskQueueModule, type TaskQueueOptions } from 'nestjs-task-queue';
import { TaskDashboardModule, type TaskDashboardOptions } from 'nestjs-task-queue/dashboard';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { INestApplication } from '@nestjs/common';
import { Assets } from '../../lib/dashboard/assets.js';
import { FirstView } from '../../lib/dashboard/first-view.js';
import { PageRenderer } from '../../lib/dashboard/page-renderer.js';
import { ErrorLog, type Platform } from './http-app.js';

export interface DashboardSetting {
  readonly options?: TaskDashboardOptions;
  readonly module?: DynamicModule;
  readonly tasks?: Provider[];
  readonly providers?: Provider[];
  readonly queue?: TaskQueueOptions;
  /** The folder of what renders pages. Default: none, so that pages come without markup. */
  readonly server?: string;
  prepare?(app: INestApplication): void;
}

/** Starts an application with a dashboard on a free port. */
export async function startDashboard(platform: Platform, setting: DashboardSetting = {}) {
  const log = new ErrorLog();
  @Module({
    imports: [
      TaskQueueModule.forRoot({ connection: 'memory:', ...setting.queue }),
      setting.module ?? TaskDashboardModule.forRoot(setting.options),
    ],
    providers: [...(setting.tasks ?? []), ...(setting.providers ?? [])],
  })
  class App {}
  const folder = mkdtempSync(join(tmpdir(), 'task-dashboard-'));
  for (const name of ['app-1.js', 'view-1.js', 'style-1.css', 'icon-1.svg'])
    writeFileSync(join(folder, name), `/* ${name} */`.repeat(50));
  writeFileSync(
    join(folder, 'names.json'),
    JSON.stringify({ script: 'app-1.js', parts: ['view-1.js'], style: 'style-1.css', icon: 'icon-1.svg' }),
  );
  const builder = Test.createTestingModule({ imports: [App] }).setLogger(log);
  builder.overrideProvider(Assets).useValue(new Assets(folder));
  if (setting.server === undefined) builder.overrideProvider(FirstView).useValue({ render: async () => undefined });
  else builder.overrideProvider(PageRenderer).useValue(new PageRenderer(setting.server));
  const moduleRef = await builder.compile();
  const app = moduleRef.createNestApplication(
    platform === 'express' ? new ExpressAdapter() : new FastifyAdapter({ bodyLimit: 1_048_576 }),
  );
  setting.prepare?.(app);
  await app.listen(0, '127.0.0.1');
  const url = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
  return {
    app,
    url,
    log,
    admin: app.get(TaskAdmin),
    queue: app.get(TaskQueue),
    close: async () => {
      await app.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export type StartedDashboard = Awaited<ReturnType<typeof startDashboard>>;

/** Lets in who sends the header `x-user`, and stores the name as guards do. */
export class HeaderGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<{ headers: Record<string, string>; user?: unknown }>();
    const name = request.headers['x-user'];
    if (name !== undefined) request.user = { username: name };
    return name !== undefined;
  }
}

/** What a page has in its head for its script. */
export function settingsOf(html: string): {
  root: string;
  token: string;
  title: string;
  readOnly: boolean;
  user: string | null;
} {
  const content = /name="task-dashboard" content="([^"]*)"/.exec(html)?.[1] ?? '';
  return JSON.parse(
    content
      .replaceAll('&quot;', '"')
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll('&#39;', "'")
      .replaceAll('&amp;', '&'),
  ) as never;
}
