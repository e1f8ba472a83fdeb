import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Application, writeSnippet } from './support/application.js';
import { ownTest } from './support/programs.js';

/** Nest 12 is ES modules only, so Jest runs in its mode for ES modules, and swc writes the decorators' metadata. */
describe('Nest 12 with Jest and swc', () => {
  let app: Application;
  let warnings: string[];

  beforeAll(async () => {
    app = await Application.generate(12);
    writeSnippet(app);
    app.write('src/reports.spec.ts', ownTest('.js', "import { describe, expect, it } from '@jest/globals';\n"));
    app.write('.swcrc', JSON.stringify(SWC));
    app.write('jest.config.js', `export default ${JSON.stringify(JEST)};\n`);
    warnings = await app.install('bullmq', 'ioredis', 'jest@30', '@jest/globals@30', '@swc/core', '@swc/jest');
  }, 600_000);
  afterAll(() => app.close(), 300_000);

  test('the packages install without a flag or a warning', () => {
    expect(warnings).toEqual([]);
  });

  test('the application tests itself with Jest', async () => {
    const environment = { TASK_QUEUE_URL: process.env['TEST_REDIS_URL'] as string, TASK_QUEUE_PREFIX: 'nest_12_jest' };
    const { stderr } = await app.node(
      ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', 'reports.spec'],
      environment,
    );
    expect(stderr).toContain('reports.spec.ts');
    expect(stderr).not.toContain('did not exit');
  }, 300_000);
});

const SWC = {
  module: { type: 'es6' },
  jsc: {
    target: 'es2022',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
    keepClassNames: true,
  },
};

const JEST = {
  testEnvironment: 'node',
  testRegex: '.*\\.spec\\.ts$',
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': '@swc/jest' },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
};
