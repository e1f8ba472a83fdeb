/**
 * Programs of the generated applications. `extension` is what an import of a file ends with: `.js` in ES modules, nothing
 * in CommonJS.
 */

/** How a program creates the application, on each HTTP platform. */
const CREATE = {
  express: {
    imports: '',
    create: 'NestFactory.create(AppModule, { logger: ["error"] })',
  },
  fastify: {
    imports: "import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';\n",
    create: 'NestFactory.create<NestFastifyApplication>(AppModule, new FastifyAdapter(), { logger: ["error"] })',
  },
} as const;

/** Starts the snippet's application, builds a report through it, prints the final status and closes. */
export function tryIt(extension: '' | '.js', platform: keyof typeof CREATE = 'express'): string {
  const { imports, create } = CREATE[platform];
  return `import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
${imports}import { AppModule } from './app.module${extension}';

async function main(): Promise<void> {
  const app = await ${create};
  app.enableShutdownHooks();
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  const created = await fetch(url + '/reports', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ month: '2026-11' }),
  });
  const location = created.headers.get('location');
  const final = await fetch(url + location + '?wait=30');
  console.log(JSON.stringify({ accepted: created.status, final: await final.json() }));
  await app.close();
}

void main();
`;
}

/** A test of the application, for Jest and for Vitest (with its globals). */
export function ownTest(extension: '' | '.js', imports = ''): string {
  return `${imports}import { Test } from '@nestjs/testing';
import request from 'supertest';
import { AppModule } from './app.module${extension}';

describe('ReportTasks', () => {
  it('builds a report', async () => {
    const built = await Test.createTestingModule({ imports: [AppModule] }).compile();
    const app = built.createNestApplication();
    await app.init();
    try {
      const created = await request(app.getHttpServer()).post('/reports').send({ month: '2026-11' }).expect(202);
      const final = await request(app.getHttpServer()).get(created.headers.location + '?wait=30').expect(200);
      expect(final.body.state).toBe('succeeded');
    } finally {
      await app.close();
    }
  }, 60_000);
});
`;
}

/**
 * A test with the testing kit and its matchers, for runners with globals. `types` declares the matchers to the compiler, where
 * the package cannot do that itself.
 */
export function kitTest(extension: '' | '.js', types = ''): string {
  return `import { Test } from '@nestjs/testing';
import { TaskTesting } from 'nestjs-task-queue/testing';
import ${types === '' ? '' : 'type { TaskMatchers } from '}'nestjs-task-queue/testing/matchers';
${types === '' ? '' : "import 'nestjs-task-queue/testing/matchers';\n"}import { AppModule, ReportsController, ReportTasks } from './app.module${extension}';
${types}
describe('the testing kit', () => {
  it('runs a task in memory, and its matchers work', async () => {
    const builder = Test.createTestingModule({ imports: [AppModule] });
    const moduleRef = await TaskTesting.configure(builder).compile();
    try {
      const tasks = moduleRef.get(TaskTesting);
      const handle = await moduleRef.get(ReportsController).create({ month: '2026-11' });
      expect(tasks).toHaveEnqueued(ReportTasks, 'build', ['2026-11']);
      expect(tasks).not.toHaveEnqueued(ReportTasks, 'build', ['2026-12']);
      expect(() => expect(tasks).toHaveEnqueued(ReportTasks, 'build', ['2026-12'])).toThrow('2026-11');
      // @ts-expect-error: no task has this name
      expect(() => expect(tasks).toHaveEnqueued(ReportTasks, 'bild')).toThrow();
      await tasks.drain();
      expect(await handle.result()).toEqual({ url: '/reports/2026-11.pdf' });
    } finally {
      await moduleRef.close();
    }
  });
});
`;
}

/** Declares the matchers to Vitest, as docs/testing.md says. */
export const VITEST_MATCHERS = `
declare module 'vitest' {
  // with @jest/globals: 'expect', and Matchers<R, T> extends TaskMatchers<R>
  interface Matchers<T> extends TaskMatchers<T> {}
}
`;

/** What {@link tryIt} prints. */
export const REPORT_BUILT = {
  accepted: 202,
  final: { state: 'succeeded', name: 'ReportTasks.build', result: { url: '/reports/2026-11.pdf' } },
};

/** A program that opens the dashboard as a browser does, changes something, and prints what it got. */
export function openDashboard(platform: 'express' | 'fastify'): string {
  const adapter = platform === 'fastify' ? 'FastifyAdapter' : 'ExpressAdapter';
  return `
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ${adapter} } from '@nestjs/platform-${platform}';
import { TaskAdmin } from 'nestjs-task-queue';
import { TaskDashboardModule } from 'nestjs-task-queue/dashboard';
import { AppModule } from './app.module';

@Module({ imports: [AppModule, TaskDashboardModule.forRoot({ path: 'ops' })] })
class DashboardApp {}

async function main(): Promise<void> {
  const app = await NestFactory.create(DashboardApp, new ${adapter}() as never, { logger: ['error', 'warn'] });
  app.setGlobalPrefix('api');
  await app.listen(0, '127.0.0.1');
  const base = \`http://127.0.0.1:\${app.getHttpServer().address().port}/api/ops\`;
  const page = await fetch(base);
  const html = await page.text();
  const script = await fetch(new URL(/src="([^"]+)"/.exec(html)?.[1] ?? '', page.url));
  const token = /token&quot;:&quot;([^&]+)/.exec(html)?.[1] ?? '';
  const act = await fetch(base + '/api/acts/pause', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-csrf-token': token },
    body: JSON.stringify({ queue: 'reports' }),
  });
  const statuses = [page, script, act, await fetch(base + '/tasks/'), await fetch(base + '/api/overview')];
  const paused = (await app.get(TaskAdmin).queues()).filter((queue) => queue.paused).map(({ name }) => name);
  await app.get(TaskAdmin).resume('reports');
  console.log(JSON.stringify({ statuses: statuses.map(({ status }) => status), paused }));
  await app.close();
}
void main();
`;
}
