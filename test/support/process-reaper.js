/**
 * A small process between the tests and one server. It creates a folder and runs the server in it. Once its channel to
 * the tests closes, it stops the server and removes the folder. The channel also closes when a SIGKILL ends the tests.
 *
 * For each request `{ command, args, readyText }` the reaper sends `{ ready: pid }` once the output contains that text,
 * and `{ ended: code, output }` once the program has ended.
 */
import { spawn } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signalFamily } from './processes.js';

/** @type {{ uid?: number, gid?: number }} */
const user = JSON.parse(process.argv[2] ?? '{}');
const folder = mkdtempSync(join(tmpdir(), 'task-queue-test-'));
if (user.uid !== undefined && user.gid !== undefined) chownSync(folder, user.uid, user.gid);

/** @type {import('node:child_process').ChildProcess | undefined} */
let running;

process.on('message', (/** @type {{ command: string, args: string[], readyText?: string }} */ request) => {
  const program = spawn(request.command, request.args, {
    ...user,
    cwd: folder,
    env: { PATH: process.env.PATH, LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running = program;
  let output = '';
  let { readyText } = request;
  const read = (/** @type {Buffer} */ chunk) => {
    output = (output + chunk.toString()).slice(-4000);
    if (!readyText || !output.includes(readyText)) return;
    readyText = undefined;
    process.send?.({ ready: program.pid });
  };
  program.stdout.on('data', read);
  program.stderr.on('data', read);
  program.on('error', (error) => (output += error.message));
  program.on('close', (code, signal) => {
    running = undefined;
    process.send?.({ ended: code ?? signal, output });
  });
});

process.on('disconnect', cleanUp);
process.on('SIGTERM', cleanUp);

function cleanUp() {
  const pid = running?.pid;
  if (!pid) return removeFolder();
  // `close` comes when the last process that shares the output has ended: no process writes into the folder any more.
  running?.on('close', removeFolder);
  signalFamily(pid, 'SIGCONT');
  process.kill(pid, 'SIGINT');
  setTimeout(() => signalFamily(pid, 'SIGKILL'), 2000);
}

function removeFolder() {
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  process.exit();
}

process.send?.({ folder });
