import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * @typedef {{ fullName: string, status: string }} Test
 * @typedef {{ name: string, status: string, assertionResults: Test[] }} TestFile `name` is an absolute path
 * @typedef {{ ok: boolean, testResults: TestFile[] }} Report `ok`: whether Jest itself succeeded
 */

const root = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Counts the tests of a run. A skipped test counts as a failed one, so that no test is skipped unnoticed. A file that cannot be
 * loaded, and a run without tests, count as one failed test.
 *
 * @param {Report} report
 */
export function countTests({ ok, testResults }) {
  let passed = 0;
  let failed = 0;
  for (const { status, assertionResults } of testResults) {
    const passedHere = assertionResults.filter((test) => test.status === 'passed').length;
    const failedHere = assertionResults.length - passedHere;
    passed += passedHere;
    failed += failedHere === 0 && status === 'failed' ? 1 : failedHere;
  }
  // Jest ran no test at all, or something outside of the tests failed.
  const broken = failed === 0 && (!ok || passed === 0);
  return { passed, failed: failed + Number(broken) };
}

/** @param {Report} report */
export function failedFiles({ testResults }) {
  return testResults.filter(({ status }) => status === 'failed').map(({ name }) => name);
}

/**
 * Makes one report of two: a file of the second run replaces that of the first.
 *
 * @param {Report} first
 * @param {Report} second
 * @returns {{ report: Report, unsteady: string[] }} `unsteady`: the tests of the files that passed in the second run only
 */
export function replaceRepeated(first, second) {
  const repeated = new Map(second.testResults.map((file) => [file.name, file]));
  const unsteady = first.testResults
    .filter(({ name, status }) => status === 'failed' && repeated.get(name)?.status === 'passed')
    .flatMap(({ name, assertionResults }) => {
      const tests = assertionResults.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName);
      return (tests.length > 0 ? tests : ['the file itself']).map((test) => `${nameOf(name)}: ${test}`);
    });
  const testResults = first.testResults.map((file) => repeated.get(file.name) ?? file);
  return { report: { ok: second.ok, testResults }, unsteady };
}

/**
 * The path of a file from the project's folder.
 *
 * @param {string} path
 */
export function nameOf(path) {
  return relative(root, path);
}
