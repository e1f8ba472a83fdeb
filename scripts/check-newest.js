/**
 * `npm run check-newest`: runs the unit, HTTP and contract tests with the newest versions of BullMQ and its drivers that the
 * peer ranges allow, in a copy of the project, which is removed afterwards. docs/upstream.md says what to do with the
 * result. Phases other than these three can be named: `npm run check-newest -- unit contract faults`.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { npm, root } from './project.js';

const packages = ['bullmq', 'ioredis', 'pg', '@electric-sql/pglite'];
const phases = process.argv.length > 2 ? process.argv.slice(2) : ['unit', 'http', 'contract'];

const { peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const newest = packages.map((name) => `${name}@${newestVersion(name, peerDependencies[name])}`);
console.log(`Newest versions in the peer ranges: ${newest.join(', ')}`);

const copy = mkdtempSync(join(tmpdir(), 'task-queue-newest-'));
process.once('exit', () => rmSync(copy, { recursive: true, force: true }));
const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root });
for (const file of files.toString().split('\0').filter(Boolean)) cpSync(join(root, file), join(copy, file));

const done =
  (await npm('install', '--prefix', copy, '--no-save', '--include=dev', ...newest)) &&
  (await npm('--prefix', copy, 'test', '--', ...phases));
process.exitCode = done ? 0 : 1;

/** @returns the highest version that `npm view` knows in the range */
function newestVersion(name, range) {
  const npmPath = process.env.npm_execpath;
  const [command, first] = npmPath ? [process.execPath, [npmPath]] : ['npm', []];
  const answer = JSON.parse(
    execFileSync(command, [...first, 'view', `${name}@${range}`, 'version', '--json'], { encoding: 'utf8' }),
  );
  return Array.isArray(answer) ? answer.at(-1) : answer;
}
