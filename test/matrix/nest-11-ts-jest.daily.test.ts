import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Application, writeSnippet } from './support/application.js';
import { kitTest, ownTest, REPORT_BUILT, tryIt } from './support/programs.js';

/** Nest 11, CommonJS, ts-jest: what `nest new` has generated for years. */
describe('Nest 11 with ts-jest', () => {
  let app: Application;
  let warnings: string[];

  beforeAll(async () => {
    app = await Application.generate(11);
    writeSnippet(app);
    app.write('src/try-it.ts', tryIt(''));
    app.write('src/reports.spec.ts', ownTest(''));
    app.write('src/kit.spec.ts', kitTest(''));
    warnings = await app.install('bullmq', 'ioredis@5', '@electric-sql/pglite');
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
      const { stdout } = await app.node(['dist/try-it'], { TASK_QUEUE_URL: url, TASK_QUEUE_PREFIX: 'nest_11' });
      expect(JSON.parse(stdout)).toMatchObject(REPORT_BUILT);
    },
    120_000,
  );

  test('the application tests itself with ts-jest as generated', async () => {
    const environment = { TASK_QUEUE_URL: process.env['TEST_REDIS_URL'] as string, TASK_QUEUE_PREFIX: 'nest_11_jest' };
    const { stderr } = await app.node(['node_modules/jest/bin/jest.js'], environment);
    expect(stderr).toContain('reports.spec.ts');
    expect(stderr).toContain('kit.spec.ts');
    expect(stderr).not.toContain('did not exit');
  }, 300_000);
});

/** What the compiler of an application with Nest 11 may be set to. */
describe('the types with Nest 11', () => {
  let app: Application;

  beforeAll(async () => {
    app = await Application.generate(11);
    writeSnippet(app);
    const compilers = ['5.4', '5.7', '5.9'].map((version) => `typescript-${version}@npm:typescript@${version}`);
    await app.install('bullmq', 'ioredis@5', ...compilers);
  }, 600_000);
  afterAll(() => app.close(), 300_000);

  test.each(
    ['5.4', '5.7', '5.9'].flatMap((version) =>
      [
        ['commonjs', 'node10'],
        ['node16', 'node16'],
        ['nodenext', 'nodenext'],
        ['esnext', 'bundler'],
      ].map(([module, resolution]) => [version, module, resolution] as const),
    ),
  )(
    'compile with TypeScript %s, module %s and resolution %s',
    async (version, module, resolution) => {
      await app.node([
        `node_modules/typescript-${version}/bin/tsc`,
        ...['src/app.module.ts', '--noEmit', '--strict', '--target', 'es2022', '--skipLibCheck', 'false'],
        ...['--module', module as string, '--moduleResolution', resolution as string, '--esModuleInterop'],
        ...['--experimentalDecorators', '--emitDecoratorMetadata', '--isolatedModules', '--types', 'node'],
      ]);
    },
    120_000,
  );
});
