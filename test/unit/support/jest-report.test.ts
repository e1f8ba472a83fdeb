import { describe, expect, it } from '@jest/globals';
import { countTests, failedFiles, replaceRepeated } from '../../support/jest-report.js';

function file(name: string, ...statuses: string[]) {
  return {
    name: `${process.cwd()}/test/${name}`,
    status: statuses.every((status) => status === 'passed') ? 'passed' : 'failed',
    assertionResults: statuses.map((status, n) => ({ fullName: `test ${n + 1}`, status })),
  };
}

describe('the numbers of a run', () => {
  it('count a skipped test, and a file that cannot be loaded, as failed', () => {
    const skipped = file('a.test.ts', 'passed', 'pending');
    const unloadable = { ...file('b.test.ts'), status: 'failed' };
    expect(countTests({ ok: false, testResults: [skipped, unloadable] })).toEqual({ passed: 1, failed: 2 });
  });

  it('count a failure outside of the tests, and a run without tests, as failed', () => {
    expect(countTests({ ok: false, testResults: [file('a.test.ts', 'passed')] })).toEqual({ passed: 1, failed: 1 });
    expect(countTests({ ok: true, testResults: [] })).toEqual({ passed: 0, failed: 1 });
  });

  it('take a repeated file from the second run, and name what passed only there', () => {
    const first = { ok: false, testResults: [file('a.test.ts', 'passed', 'failed'), file('b.test.ts', 'passed')] };
    const second = { ok: true, testResults: [file('a.test.ts', 'passed', 'passed')] };
    const { report, unsteady } = replaceRepeated(first, second);
    expect(countTests(report)).toEqual({ passed: 3, failed: 0 });
    expect(unsteady).toEqual(['test/a.test.ts: test 2']);
  });

  it('keep a failure that the second run has too', () => {
    const first = { ok: false, testResults: [file('a.test.ts', 'failed'), file('b.test.ts', 'failed')] };
    const second = { ok: false, testResults: [file('a.test.ts', 'failed'), file('b.test.ts', 'passed')] };
    const { report, unsteady } = replaceRepeated(first, second);
    expect(countTests(report)).toEqual({ passed: 1, failed: 1 });
    expect(unsteady).toEqual(['test/b.test.ts: test 1']);
  });

  it('name a file that failed as a whole', () => {
    const first = { ok: false, testResults: [{ ...file('a.test.ts', 'passed'), status: 'failed' }] };
    const second = { ok: true, testResults: [file('a.test.ts', 'passed')] };
    expect(failedFiles(first)).toHaveLength(1);
    expect(replaceRepeated(first, second).unsteady).toEqual(['test/a.test.ts: the file itself']);
  });
});
