import { readdirSync } from 'node:fs';
import { defineConfig } from 'oxlint';
import { engineRooms, entryPoints, rooms } from './oxlint.rooms.js';

/** The files that put the rooms together. No room imports them. */
const assembly = ['index', 'create-engine', 'task-queue.module', 'task-queue.providers', ...entryPoints];
const engineAssembly = ['bullmq-engine', 'create-engine'];

checkRooms('lib', [...Object.keys(rooms), ...entryPoints]);
checkRooms('lib/engine/bullmq', Object.keys(engineRooms));

/** A folder that the tables above do not name would be checked by nothing. */
function checkRooms(folder, known) {
  const found = readdirSync(new URL(folder, import.meta.url), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  const unnamed = found.filter((name) => !known.includes(name));
  const missing = known.filter((name) => !found.includes(name));
  if (unnamed.length + missing.length > 0) {
    throw new Error(
      `oxlint.rooms.js and the folders of ${folder} differ: ${[...unnamed, ...missing].join(', ')}. Name each folder with the rooms it may import.`,
    );
  }
}

const engineLibraries = {
  regex: '^(bullmq|ioredis|pg|@electric-sql/pglite)(/|$)',
  message: 'Only lib/engine/bullmq imports BullMQ and its drivers; the other rooms use the port in lib/engine.',
};
const engines = {
  regex: '^\\.{1,2}/(.*/)?(bullmq|memory)/',
  message: 'Only lib/create-engine.ts chooses the engine; import the port from lib/engine.',
};
const notFrom = (names, room, allowed) => ({
  regex: `^\\.{1,2}/(\\.\\./)*(${names.join('|')})(/|\\.js$)`,
  message: `${room} may import only ${['itself', ...allowed].join(', ')} (see oxlint.rooms.js).`,
});
const otherRooms = (own, allowed) =>
  notFrom(
    [...assembly, ...Object.keys(rooms)].filter((name) => name !== own && !allowed.includes(name)),
    `lib/${own}`,
    ['errors', ...allowed],
  );
const otherEngineRooms = (own, allowed) =>
  notFrom(
    [...engineAssembly, ...Object.keys(engineRooms)].filter((name) => name !== own && !allowed.includes(name)),
    `lib/engine/bullmq/${own}`,
    allowed,
  );
const restrict = (files, ...patterns) => ({
  files,
  rules: { 'no-restricted-imports': ['error', { patterns }] },
});

export default defineConfig({
  plugins: ['typescript', 'import', 'unicorn', 'oxc', 'jest'],
  options: { typeAware: true, denyWarnings: true, reportUnusedDisableDirectives: 'error' },
  categories: { correctness: 'error', suspicious: 'error' },
  // The files before and after the codemod are as applications have them.
  ignorePatterns: ['dist', 'sample/dist', 'coverage', 'test/support/codemod'],
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
    restrict(['lib/**'], engineLibraries, engines),
    restrict(['lib/create-engine.ts', ...entryPoints.map((folder) => `lib/${folder}/**`)], engineLibraries),
    restrict(['lib/supervisor/*.ts'], {
      regex: '^(@nestjs/|\\./process/)',
      message: 'The supervisor loads neither Nest nor the application: it starts at once and stays small.',
    }),
    restrict(['lib/errors.ts'], { regex: '^\\.', message: 'lib/errors.ts stands below everything else.' }),
    ...Object.entries(rooms).map(([room, allowed]) =>
      restrict([`lib/${room}/**`], engineLibraries, engines, otherRooms(room, allowed)),
    ),
    // The outbox is in a database of the application, of which no engine knows.
    restrict(
      ['lib/transactions/outbox/{postgres-outbox,postgres-outbox-pool,postgres-outbox-listener,create-table}.ts'],
      engines,
      otherRooms('transactions', rooms.transactions),
    ),
    restrict(['lib/engine/bullmq/*.{ts,cts}'], otherRooms('engine', [])),
    ...Object.entries(engineRooms).map(([room, allowed]) =>
      restrict([`lib/engine/bullmq/${room}/**`], otherRooms('engine', []), otherEngineRooms(room, allowed)),
    ),
  ],
});
