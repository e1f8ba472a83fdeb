import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { Application, writeSnippet } from './support/application.js';
import { run } from './support/commands.js';
import { REPORT_BUILT, tryIt } from './support/programs.js';

/** The npm package that contains Node for this machine. */
const NODE_PACKAGE = `node-${process.platform}-${process.arch}`;

/** The other versions of Node that `engines` names; this run itself uses one. */
describe.each([11, 12] as const)('Nest %i', (nest) => {
  let app: Application;

  beforeAll(async () => {
    app = await Application.generate(nest);
    writeSnippet(app);
    app.write('src/try-it.ts', tryIt(nest === 11 ? '' : '.js'));
    const nodes = ['22', '24'].map((version) => `node-${version}@npm:${NODE_PACKAGE}@${version}`);
    await app.install('bullmq', 'ioredis@5', '@electric-sql/pglite', ...nodes);
    await app.npm('run', 'build');
  }, 600_000);
  afterAll(() => app.close(), 300_000);

  test.each(
    ['22', '24'].flatMap((version) => [
      [version, 'the embedded engine', 'pglite:'],
      [version, 'Redis', process.env['TEST_REDIS_URL'] as string],
    ]),
  )(
    'the snippet runs on Node %s on %s, and its process ends',
    async (version, _, url) => {
      const node = join(app.folder, `node_modules/node-${version}/bin/node`);
      const { stdout: found } = await run(app.folder, node, ['--version']);
      expect(found).toMatch(new RegExp(`^v${version}\\.`));
      const environment = { TASK_QUEUE_URL: url, TASK_QUEUE_PREFIX: `node_${version}` };
      const { stdout } = await run(app.folder, node, ['dist/try-it.js'], environment);
      expect(JSON.parse(stdout)).toMatchObject(REPORT_BUILT);
    },
    120_000,
  );
});
