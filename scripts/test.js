/**
 * `npm test [-- phase... --install]`: installs the npm packages, then runs every phase, or the phases that are named.
 * After a phase that fails, the next phase runs all the same. The last line is `N passed, N failed`.
 *
 * The tests start servers and a browser. With `--install`, or with `CI=true`, the run installs those that are missing
 * through apt-get. Otherwise it stops before the first phase and prints what to do.
 */
import { programsOf, requirePrograms } from '../test/support/programs.js';
import { jest } from './jest.js';
import { installPackages, node, tsc } from './project.js';

/** Milliseconds after which a phase is killed: more than twice what it takes on two cores. It counts as failed. */
const timeout = 25 * 60_000;
/** The same for the matrix, which installs and compiles nine applications. */
const matrixTimeout = 30 * 60_000;

/**
 * Minutes after which CI, too, takes the faults of the daily run alone. The whole takes two fifths of the time of all other phases,
 * and a run that takes longer than 75 minutes on a slow machine would be cut off without a result.
 */
const WHOLE_FAULTS_UNTIL = 50;

/** The daily run, which has half an hour, opens one page of the sample, and leaves the files of `deploy/` to CI. */
const DAILY_E2E = '/e2e/(?!sample\\.(?!frame)|deploy\\.|driver-options\\.|isolation-commonjs)[^/]*\\.test\\.ts$';

/** The faults of the daily run, which has less time than CI. */
const DAILY_FAULTS =
  '/(?:batches|delivery|driver-errors|lane|outbox|refused-writes|sabotage|servers|versions)\\.test\\.ts$';

const phases = {
  static: async () => [
    await check(['node_modules/oxlint/bin/oxlint', '-c', 'oxlint.config.js']),
    await check(['node_modules/oxfmt/bin/oxfmt', '--check']),
    await check([tsc, '--noEmit']),
    await check([tsc, '-p', 'bench', '--noEmit']),
    await check([tsc, '-p', 'dashboard', '--noEmit']),
  ],
  build: async () => [await check(['scripts/build.js']), await check([tsc, '-b', 'sample'])],
  unit: () => jest('unit', { timeout }),
  // The tests of the sample, as its team would have them.
  sample: () => jest('sample', { timeout }),
  http: () => jest('http', { timeout }),
  contract: () => jest('contract', { timeout, repeats: true }),
  // A phase of its own: these tests measure times, so nothing else may run beside them.
  limits: () => jest('limits', { timeout, repeats: true }),
  types: () => jest('types', { timeout }),
  e2e: () => jest('e2e', { timeout, files: isWhole('e2e') ? undefined : DAILY_E2E, repeats: true }),
  package: async () => [await jest('package', { timeout }), await check(['scripts/api-report.js', '--check'])],
  // Applications as users have them. The daily run takes two of them, CI and `npm test -- matrix` take all.
  matrix: () =>
    jest('matrix', {
      timeout: matrixTimeout,
      files: isWhole('matrix') ? undefined : '\\.daily\\.test\\.ts$',
      repeats: true,
    }),
  // Transactions of the libraries for databases, which the phase installs. CI and `npm test -- orms` run it.
  orms: async () => {
    const result = await jest('orms', { timeout, repeats: true });
    return [result, await check([tsc, '-p', 'test/orms', '--noEmit'])];
  },
  // The last phase, because its size depends on the time that is left. The daily run takes the faults that concern most changes.
  faults: () => jest('faults', { timeout, files: takesAllFaults() ? undefined : DAILY_FAULTS, repeats: true }),
};
const inCiOnly = ['orms'];

const INSTALL = '--install';
const given = process.argv.slice(2);
const unknown = given.filter((name) => name !== INSTALL && !Object.hasOwn(phases, name));
if (unknown.length > 0) {
  console.error(
    `No such phase or option: ${unknown.join(', ')}. There are: ${[...Object.keys(phases), INSTALL].join(', ')}.`,
  );
  process.exit(2);
}
// The tests read it, see test/support/program-installation.js.
if (given.includes(INSTALL)) process.env.TASK_QUEUE_TEST_INSTALL = '1';
const named = given.filter((name) => name !== INSTALL);
const usual = Object.keys(phases).filter((name) => isCi() || !inCiOnly.includes(name));
const wanted = new Set(named.length > 0 ? named : usual);
// These phases test what `build` writes.
if (['e2e', 'faults', 'package', 'matrix'].some((phase) => wanted.has(phase))) wanted.add('build');

try {
  requirePrograms([...new Set([...wanted].flatMap((phase) => programsOf(phase)))]);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
const startedAt = performance.now();
await installPackages();
const lines = [];
const total = { passed: 0, failed: 0 };
const unsteady = [];
for (const [name, run] of Object.entries(phases)) {
  if (!wanted.has(name)) continue;
  console.log(`\n=== ${name}`);
  const results = [await run()].flat();
  const passed = sum(results, 'passed');
  const failed = sum(results, 'failed');
  lines.push(`${name}: ${passed} passed, ${failed} failed`);
  total.passed += passed;
  total.failed += failed;
  unsteady.push(...results.flatMap((result) => result.unsteady ?? []));
}
if (unsteady.length > 0) {
  console.log('\nThese tests failed, and passed when their file was repeated alone. Each one is a fault to find:');
  for (const test of unsteady) console.log(`  ${test}`);
}
console.log(`\n${lines.join('\n')}\n\n${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed ? 1 : 0;

/** Runs a program. It counts as one test, which passes when the program succeeds. */
async function check(args) {
  const ok = await node(args, { timeout });
  console.log(`${ok ? 'ok' : 'FAILED'}: ${args.join(' ')}`);
  return { passed: Number(ok), failed: Number(!ok) };
}

/** Whether a phase runs as a whole: in CI, or because it was named. */
function isWhole(phase) {
  return named.includes(phase) || isCi();
}

function takesAllFaults() {
  if (named.includes('faults')) return true;
  if (!isCi()) return false;
  const minutes = Math.round((performance.now() - startedAt) / 60_000);
  if (minutes < WHOLE_FAULTS_UNTIL) return true;
  console.log(`The run has taken ${minutes} minutes, so it takes the faults of the daily run alone.`);
  return false;
}

function isCi() {
  return ['true', '1'].includes(process.env.CI ?? '');
}

function sum(results, key) {
  return results.reduce((soFar, result) => soFar + result[key], 0);
}
