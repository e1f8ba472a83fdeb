/**
 * A small process beside a run of tests. It creates a temporary folder, and removes it once its channel to the run closes. The channel
 * also closes when a SIGKILL ends the run.
 */
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** Milliseconds for which the servers of the run may take to stop. Each has a folder in this one: see process-reaper.js. */
const SERVERS_STOP_WITHIN = 10_000;
const SERVER = /^task-queue-test-/;

// The name is short, because the path of a socket is.
const folder = mkdtempSync(join(tmpdir(), 'tq-'));
// PostgreSQL runs as another user.
chmodSync(folder, 0o755);

process.on('disconnect', () => void removeFolder());

async function removeFolder() {
  const end = performance.now() + SERVERS_STOP_WITHIN;
  while (performance.now() < end && readdirSync(folder).some((name) => SERVER.test(name))) await pause(50);
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  process.exit();
}

process.send?.(folder);
