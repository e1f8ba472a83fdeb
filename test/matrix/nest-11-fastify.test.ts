import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Application, writeSnippet } from './support/application.js';
import { openDashboard, REPORT_BUILT, tryIt } from './support/programs.js';

describe('Nest 11 on Fastify', () => {
  let app: Application;
  let warnings: string[];

  beforeAll(async () => {
    app = await Application.generate(11);
    writeSnippet(app);
    app.write('src/try-it.ts', tryIt('', 'fastify'));
    for (const platform of ['express', 'fastify'] as const)
      app.write(`src/dashboard-${platform}.ts`, openDashboard(platform));
    warnings = await app.install('bullmq', 'ioredis@5', '@electric-sql/pglite', '@nestjs/platform-fastify@11');
    await app.npm('run', 'build');
  }, 600_000);
  afterAll(() => app.close(), 300_000);

  test('the packages install without a flag or a warning', () => {
    expect(warnings).toEqual([]);
  });

  test.each([
    ['the embedded engine', 'pglite:'],
    ['Redis', process.env['TEST_REDIS_URL'] as string],
  ])(
    'the snippet runs on %s, and its process ends',
    async (_, url) => {
      const { stdout } = await app.node(['dist/try-it'], { TASK_QUEUE_URL: url, TASK_QUEUE_PREFIX: 'nest_11_fastify' });
      expect(JSON.parse(stdout)).toMatchObject(REPORT_BUILT);
    },
    120_000,
  );

  test.each(['express', 'fastify'])(
    'the dashboard is served by %s',
    async (platform) => {
      const { stdout } = await app.node([`dist/dashboard-${platform}`], {
        TASK_QUEUE_URL: 'pglite:',
        TASK_QUEUE_PREFIX: 'nest_11_dashboard',
      });
      expect(JSON.parse(stdout)).toEqual({ statuses: [200, 200, 200, 200, 200], paused: ['reports'] });
    },
    120_000,
  );

  test('the command worker runs the tasks of the compiled CommonJS application', async () => {
    const environment = {
      TASK_QUEUE_URL: process.env['TEST_REDIS_URL'] as string,
      TASK_QUEUE_PREFIX: 'nest_11_worker',
    };
    const worker = await app.worker(['./dist/app.module.js', '--processes', '2'], environment);
    const { stdout } = await app.node(['dist/try-it'], { ...environment, TASK_QUEUE_ROLE: 'producer' });
    expect(JSON.parse(stdout)).toMatchObject(REPORT_BUILT);
    const { code, output } = await worker.stop();
    expect(code).toBe(0);
    expect(output).toContain('All processes have ended.');
    await expect(app.bin('nestjs-task-queue', 'worker', './dist/main.js')).rejects.toThrow(
      './dist/main.js starts an application by itself',
    );
  }, 120_000);
});
