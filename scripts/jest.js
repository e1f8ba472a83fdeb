import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { countTests, failedFiles, nameOf, replaceRepeated } from '../test/support/jest-report.js';
import { node } from './project.js';

/** When more files failed, the library is broken, and repeating them would only take time. */
const MOST_REPEATED_FILES = 3;

/**
 * Runs a Jest project and counts its tests. With `repeats`, a file that failed runs a second time, alone: a few tests among
 * thousands that use servers and processes fail on a busy machine although the library is right. A test that passes then is
 * `unsteady`: the test or the library has a race that is still to be found.
 *
 * @param {string} project
 * @param {{ timeout: number, files?: string, repeats?: boolean }} options `timeout`: milliseconds for each run; `files`: a pattern,
 * for a part of the project
 * @returns {Promise<{ passed: number, failed: number, unsteady: string[] }>}
 */
export async function jest(project, { timeout, files, repeats = false }) {
  const first = await run(project, { timeout, files });
  if (!first) return { passed: 0, failed: 1, unsteady: [] };
  const failed = repeats ? failedFiles(first) : [];
  if (failed.length === 0 || failed.length > MOST_REPEATED_FILES) return { ...countTests(first), unsteady: [] };
  console.log(`\nRepeating the files that failed: ${failed.map(nameOf).join(', ')}`);
  const second = await run(project, { timeout, files: failed.map(escape).join('|'), alone: true });
  if (!second) return { ...countTests(first), unsteady: [] };
  const { report, unsteady } = replaceRepeated(first, second);
  return { ...countTests(report), unsteady };
}

/** Resolves to the report of Jest, or to `undefined` when Jest ended without one. */
async function run(project, { timeout, files, alone = false }) {
  const folder = mkdtempSync(join(tmpdir(), 'task-queue-jest-'));
  const removeFolder = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', removeFolder);
  const path = join(folder, 'report.json');
  const ok = await node(
    [
      ...['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'],
      ...['--selectProjects', project, '--json', '--outputFile', path],
      ...(files === undefined ? [] : ['--testPathPatterns', files]),
      ...(alone ? ['--maxWorkers', '1'] : []),
      // A suite that leaves something open has failed already (test/support/open-handles.js). It must not block the
      // run.
      '--forceExit',
    ],
    { timeout },
  );
  try {
    return { ok, ...JSON.parse(readFileSync(path, 'utf8')) };
  } catch {
    return undefined;
  } finally {
    process.off('exit', removeFolder);
    removeFolder();
  }
}

/** A pattern that matches a text and nothing else. */
function escape(text) {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
