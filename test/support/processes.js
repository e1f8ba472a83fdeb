import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

/**
 * Sends a signal to a process and its children: a PostgreSQL server is one process a connection, each the leader of a
 * group of its own, so that a signal to the server's group would miss them. Processes that are gone already are no error.
 *
 * @param {number} pid
 * @param {NodeJS.Signals} signal
 */
export function signalFamily(pid, signal) {
  // The parent first: frozen or dead, it starts no further child.
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

/** Pairs of process id and parent's id. Slim containers have no `ps`, and macOS has no `/proc`. */
function processTable() {
  if (!existsSync('/proc/self/stat')) {
    const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
    return lines.map((line) => /** @type {[number, number]} */ (line.trim().split(/\s+/).map(Number)));
  }
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      // `pid (name) state ppid …`: only what follows the last bracket can be split safely.
      const ppid = readFileSync(`/proc/${name}/stat`, 'utf8')
        .replace(/^.*\) \S /s, '')
        .split(' ', 1)[0];
      return [/** @type {[number, number]} */ ([Number(name), Number(ppid)])];
    } catch {
      return []; // Gone since the folder was read.
    }
  });
}
