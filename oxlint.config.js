import { readdirSync } from 'node:fs';
import { defineConfig } from 'oxlint';

/**
 * Imports between the folders of `lib/` run one way: a folder may use itself, the files beside the folders, and what
 * stands here. `task-queue.module.ts` with its providers, `index.ts` and the entry points (`cli/`, `testing/`) put the rest together, so
 * only they are free, and nobody inside imports them.
 */
const mayImport = {
  tasks: ['engine'],
  engine: [],
  'engine/bullmq': ['engine'],
  results: ['engine'],
  // `producer.signature()` makes the values that workflows are made of.
  producers: ['tasks', 'engine', 'results', 'workflows'],
  workflows: ['tasks', 'engine', 'results'],
  // A running task may become a workflow.
  workers: ['tasks', 'engine', 'workflows'],
  schedules: ['tasks', 'engine', 'results'],
  http: ['results'],
  health: ['results'],
};
const entryPoints = ['index', 'task-queue.module', 'task-queue.providers', 'cli', 'testing'];
const folders = readdirSync(new URL('lib', import.meta.url), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

const engineLibraries = {
  regex: '^(bullmq|ioredis|pg|@electric-sql/pglite)(/|$)',
  message: 'Only lib/engine/bullmq knows BullMQ and its drivers; the rest speaks to the port in lib/engine.',
};
const bullmqEngine = {
  regex: '^\\.{1,2}/(.*/)?bullmq/',
  message: 'Only lib/task-queue.providers.ts chooses the engine; import the port from lib/engine.',
};
const otherFolders = (own, allowed) => ({
  regex: `^(\\.\\./)+(${[...entryPoints, ...folders].filter((name) => name !== own && !allowed.includes(name)).join('|')})(/|\\.js$)`,
  message: `lib/${own} may import only ${['errors', ...allowed].join(', ')} (see oxlint.config.js).`,
});
const restrict = (files, ...patterns) => ({
  files,
  rules: { 'no-restricted-imports': ['error', { patterns }] },
});

export default defineConfig({
  plugins: ['typescript', 'import', 'unicorn', 'oxc', 'jest'],
  options: { typeAware: true, denyWarnings: true, reportUnusedDisableDirectives: 'error' },
  categories: { correctness: 'error', suspicious: 'error' },
  ignorePatterns: ['dist', 'sample/dist', 'coverage'],
  rules: {
    'import/no-cycle': ['error', { ignoreTypes: false }],
    'typescript/no-explicit-any': 'error',
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],

    // Type-only imports erase the classes that dependency injection reads from the metadata.
    'typescript/consistent-type-imports': 'off',
    // A Nest module is often an empty class under a decorator, and `import 'reflect-metadata'` works by its effect.
    'typescript/no-extraneous-class': 'off',
    'import/no-unassigned-import': 'off',
    // CommonJS packages have their names twice, and only the default import works everywhere.
    'import/no-named-as-default-member': 'off',
    // Values out of JSON, BullMQ or a message have to be given a type somewhere.
    'typescript/no-unsafe-type-assertion': 'off',
    // What is read from outside is given its type where it is read; a parameter property has the name of what is injected.
    'typescript/no-unnecessary-type-parameters': 'off',
    'no-shadow': ['error', { allow: ['double', 'reports', 'charge'] }],
    // Cannot tell the methods of an interface from functions, nor a worker's `postMessage` from a window's.
    'typescript/unbound-method': 'off',
    'unicorn/require-post-message-target-origin': 'off',
    // TypeScript checks what a function returns; a small function may stand next to its use; `...[flag, value]` reads well.
    'typescript/consistent-return': 'off',
    'unicorn/consistent-function-scoping': 'off',
    'unicorn/no-useless-spread': 'off',
  },
  // Of several overrides of one rule the last that matches a file wins.
  overrides: [
    // `npm test` counts a skipped test as a failed one; `expect` may come from supertest.
    {
      files: ['test/**'],
      rules: {
        'jest/no-disabled-tests': 'error',
        'jest/expect-expect': 'off',
        // Properties hold for every input (fast-check), and some hold after every test.
        'jest/no-conditional-expect': 'off',
        'jest/no-standalone-expect': 'off',
      },
    },
    // Type tests say what does not make sense, in order to see it refused.
    { files: ['test/types/**'], rules: { 'typescript/await-thenable': 'off' } },
    restrict(['lib/**'], engineLibraries, bullmqEngine),
    restrict(['lib/task-queue.providers.ts', 'lib/cli/**', 'lib/testing/**'], engineLibraries),
    restrict(['lib/errors.ts'], { regex: '^\\.', message: 'lib/errors.ts stands below everything else.' }),
    ...Object.entries(mayImport).map(([folder, allowed]) =>
      folder === 'engine/bullmq'
        ? restrict([`lib/${folder}/**`], otherFolders('engine', allowed))
        : restrict([`lib/${folder}/**`], engineLibraries, bullmqEngine, otherFolders(folder, allowed)),
    ),
  ],
});
