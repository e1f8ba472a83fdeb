/**
 * `npm test [-- phase...]`: installs, then runs every phase, or those named. A phase that fails stops none after it;
 * the last line is `N passed, N failed`.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installPackages, node, tsc } from './project.js';

/** What hangs is killed, and has failed. */
const timeout = 10 * 60_000;

const phases = {
  static: async () => [
    await check(['node_modules/oxlint/bin/oxlint', '-c', 'oxlint.config.js']),
    await check(['node_modules/oxfmt/bin/oxfmt', '--check']),
    await check([tsc, '--noEmit']),
    await check([tsc, '-p', 'bench', '--noEmit']),
  ],
  build: async () => [await check(['scripts/build.js']), await check([tsc, '-b', 'sample'])],
  unit: () => jest('unit'),
  contract: () => jest('contract'),
  // What has to be done within a time is measured with nothing beside it.
  limits: () => jest('limits'),
  types: () => jest('types'),
  e2e: () => jest('e2e'),
  faults: () => jest('faults'),
  package: () => jest('package'),
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in phases));
if (unknown.length) {
  console.error(`No such phase: ${unknown.join(', ')}. There are: ${Object.keys(phases).join(', ')}.`);
  process.exit(2);
}
// Both look at what was built.
if (wanted.includes('e2e') || wanted.includes('package')) wanted.push('build');

await installPackages();
const lines = [];
const total = { passed: 0, failed: 0 };
for (const [name, run] of Object.entries(phases)) {
  if (wanted.length && !wanted.includes(name)) continue;
  console.log(`\n=== ${name}`);
  const results = [await run()].flat();
  const passed = sum(results, 'passed');
  const failed = sum(results, 'failed');
  lines.push(`${name}: ${passed} passed, ${failed} failed`);
  total.passed += passed;
  total.failed += failed;
}
console.log(`\n${lines.join('\n')}\n\n${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed ? 1 : 0;

/** A program that succeeds or not counts as one test. */
async function check(args) {
  const ok = await node(args, { timeout });
  console.log(`${ok ? 'ok' : 'FAILED'}: ${args.join(' ')}`);
  return { passed: Number(ok), failed: Number(!ok) };
}

/** Every test of a Jest project counts, and so does a suite that does not even load. */
async function jest(project) {
  const folder = mkdtempSync(join(tmpdir(), 'task-queue-jest-'));
  const report = join(folder, 'report.json');
  const ok = await node(
    [
      ...['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'],
      ...['--selectProjects', project, '--json', '--outputFile', report],
      // What stays open has failed its suite (test/support/open-handles.js) and need not hang the run too.
      '--forceExit',
    ],
    { timeout },
  );
  try {
    const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites, numPendingTests, numTodoTests } = JSON.parse(
      readFileSync(report, 'utf8'),
    );
    // Nothing is skipped silently: a skipped test is a failed one.
    const failed = numFailedTests + numRuntimeErrorTestSuites + numPendingTests + numTodoTests;
    // No test at all, or a failure outside of the tests.
    const broken = failed === 0 && (!ok || numPassedTests === 0);
    return { passed: numPassedTests, failed: failed + Number(broken) };
  } catch {
    return { passed: 0, failed: 1 }; // Jest ended without a report.
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function sum(results, key) {
  return results.reduce((soFar, result) => soFar + result[key], 0);
}
