import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Application, writeSnippet } from './support/application.js';
import { kitTest, ownTest, REPORT_BUILT, tryIt, VITEST_MATCHERS } from './support/programs.js';

/** Nest 12, ES modules, Vitest: what `nest new` generates today. */
describe('Nest 12 with Vitest', () => {
  let app: Application;
  let warnings: string[];

  beforeAll(async () => {
    app = await Application.generate(12);
    writeSnippet(app);
    app.write('src/try-it.ts', tryIt('.js'));
    app.write('src/reports.spec.ts', ownTest('.js'));
    app.write('src/kit.spec.ts', kitTest('.js', VITEST_MATCHERS));
    warnings = await app.install('bullmq', 'ioredis', '@electric-sql/pglite');
  }, 600_000);
  afterAll(() => app.close(), 300_000);

  test('the packages install without a flag or a warning', () => {
    expect(warnings).toEqual([]);
  });

  test("the README's first snippet compiles, also without skipLibCheck", async () => {
    await app.bin('tsc', '-p', 'tsconfig.build.json', '--noEmit', '--skipLibCheck', 'false');
    await app.npm('run', 'build');
  }, 300_000);

  test.each([
    ['the embedded engine', 'pglite:'],
    ['Redis', process.env['TEST_REDIS_URL'] as string],
  ])(
    'the snippet runs on %s, and its process ends',
    async (_, url) => {
      const { stdout } = await app.node(['dist/try-it.js'], { TASK_QUEUE_URL: url, TASK_QUEUE_PREFIX: 'nest_12' });
      expect(JSON.parse(stdout)).toMatchObject(REPORT_BUILT);
    },
    120_000,
  );

  test('the tests of the application compile, with the types of the matchers', async () => {
    await app.bin('tsc', '-p', 'tsconfig.json', '--noEmit');
  }, 120_000);

  test('the application tests itself with Vitest as generated', async () => {
    const environment = {
      TASK_QUEUE_URL: process.env['TEST_REDIS_URL'] as string,
      TASK_QUEUE_PREFIX: 'nest_12_vitest',
    };
    const { stdout } = await app.node(['node_modules/vitest/vitest.mjs', 'run'], environment);
    expect(stdout).toContain('reports.spec.ts');
    expect(stdout).toContain('kit.spec.ts');
  }, 300_000);
});
