import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Application, writeSnippet } from './support/application.js';
import { REPORT_BUILT, tryIt } from './support/programs.js';

/** One file for the whole application: what some teams deploy. */
describe('bundles', () => {
  let app: Application;

  beforeAll(async () => {
    app = await Application.generate(11);
    writeSnippet(app);
    app.write('src/try-it.ts', tryIt(''));
    app.write('bundle.mjs', BUNDLE);
    await app.install('bullmq', 'ioredis@5', '@electric-sql/pglite', 'esbuild', 'webpack');
    await app.npm('run', 'build');
  }, 600_000);
  afterAll(() => app.close(), 300_000);

  describe.each(['esbuild', 'webpack'])('with %s', (bundler) => {
    describe.each(['cjs', 'esm'])('as %s', (format) => {
      const file = `out/${bundler}.${format === 'cjs' ? 'cjs' : 'mjs'}`;

      beforeAll(() => app.node(['bundle.mjs', bundler, format, file]), 300_000);

      test.each([
        ['Redis, with its driver inside', process.env['TEST_REDIS_URL'] as string],
        ['the embedded engine, with its driver outside', 'pglite:'],
      ])(
        'the application runs on %s, and its process ends',
        async (_, url) => {
          const { stdout } = await app.node([file], { TASK_QUEUE_URL: url, TASK_QUEUE_PREFIX: 'bundles' });
          expect(JSON.parse(stdout)).toMatchObject(REPORT_BUILT);
        },
        120_000,
      );
    });
  });

  test('a bundle that changed the names of classes does not start, and asks for a name', async () => {
    await app.node(['bundle.mjs', 'esbuild', 'cjs', 'out/minified.cjs', 'minify']);
    await expect(app.node(['out/minified.cjs'], { TASK_QUEUE_URL: 'pglite:' })).rejects.toThrow(
      /The task [\w$]+\.build gets its name from the class "[\w$]+", and a bundler seems to have chosen that name/,
    );
  }, 300_000);
});

/** Packages that Nest loads only when the application uses them, and the driver that brings files of its own. */
const OUTSIDE = [
  '@nestjs/microservices',
  '@nestjs/websockets',
  'class-transformer',
  'class-validator',
  '@fastify/static',
];

const BUNDLE = `import { createRequire } from 'node:module';
import { dirname, resolve, basename } from 'node:path';
const [bundler, format, file, minify] = process.argv.slice(2);
const entry = resolve('dist/try-it.js');
const outside = ${JSON.stringify([...OUTSIDE, '@electric-sql/pglite', 'pg'])};
const isOutside = (name) => outside.some((one) => name === one || name.startsWith(one + '/'));

if (bundler === 'esbuild') {
  const { build } = await import('esbuild');
  await build({
    entryPoints: [entry],
    outfile: file,
    bundle: true,
    platform: 'node',
    format,
    minify: minify !== undefined,
    keepNames: minify === undefined,
    external: outside.flatMap((name) => [name, name + '/*']),
    // Some CommonJS packages call require(), which an ES module lacks.
    ...(format === 'esm' && {
      banner: { js: "import { createRequire as newRequire } from 'node:module'; const require = newRequire(import.meta.url);" },
    }),
  });
} else {
  const { default: webpack } = await import('webpack');
  const isModule = format === 'esm';
  const stats = await new Promise((done, failed) =>
    webpack(
      {
        mode: 'production',
        target: 'node20',
        entry,
        output: {
          path: resolve(dirname(file)),
          filename: basename(file),
          ...(isModule && { module: true, chunkFormat: 'module' }),
        },
        ...(isModule && { experiments: { outputModule: true } }),
        optimization: { minimize: false },
        plugins: [new webpack.optimize.LimitChunkCountPlugin({ maxChunks: 1 })],
        externals: [
          ({ request }, callback) => (isOutside(request) ? callback(undefined, (isModule ? 'node-commonjs ' : 'commonjs ') + request) : callback()),
        ],
      },
      (error, result) => (error ? failed(error) : done(result)),
    ),
  );
  if (stats.hasErrors()) throw new Error(stats.toString({ all: false, errors: true }));
}
`;
