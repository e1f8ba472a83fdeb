import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

/**
 * Sends a signal to a process and its children. A signal to the process group of a PostgreSQL server would miss its
 * children, because the server starts one process for each connection, and each leads a group of its own. A process
 * that has ended already is no error.
 *
 * @param {number} pid
 * @param {NodeJS.Signals} signal
 */
export function signalFamily(pid, signal) {
  // The parent first: a frozen or dead parent starts no further child.
  for (const member of [pid, ...childrenOf(pid)]) {
    try {
      process.kill(member, signal);
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH') throw error;
    }
  }
}

/** @param {number} parent */
function childrenOf(parent) {
  return processTable()
    .filter(([, ppid]) => ppid === parent)
    .map(([pid]) => pid);
}

/** Pairs of a process id and its parent's id. Slim containers have no `ps`, and macOS has no `/proc`. */
function processTable() {
  if (!existsSync('/proc/self/stat')) {
    const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
    return lines.map((line) => /** @type {[number, number]} */ (line.trim().split(/\s+/).map(Number)));
  }
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      // The format is `pid (name) state ppid …`. The name may contain spaces and brackets, so split after the last
      // bracket.
      const ppid = readFileSync(`/proc/${name}/stat`, 'utf8')
        .replace(/^.*\) \S /s, '')
        .split(' ', 1)[0];
      return [/** @type {[number, number]} */ ([Number(name), Number(ppid)])];
    } catch {
      return []; // The process ended after the folder was read.
    }
  });
}
