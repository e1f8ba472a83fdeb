import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/**
 * The user that a program runs as.
 *
 * @typedef {{ uid: number, gid: number }} User
 */

/** @typedef {Awaited<ReturnType<typeof createManagedProcess>>} ManagedProcess */

/**
 * Creates a temporary folder in which one program at a time can run. A second process, the reaper, starts the programs.
 * It outlives this process just long enough to stop the program and to remove the folder: see process-reaper.js.
 *
 * @param {User} [user] owns the folder and runs the programs. Default: the user of this process
 */
export async function createManagedProcess(user) {
  const reaper = fork(fileURLToPath(new URL('process-reaper.js', import.meta.url)), [JSON.stringify(user ?? {})], {
    // A process group of its own: the terminal sends Ctrl-C to the tests only.
    detached: true,
    execArgv: [],
    stdio: 'ignore',
  });
  const exited = once(reaper, 'exit');
  const [{ folder }] = await once(reaper, 'message');
  keepAlive(false);

  /** The reaper keeps this process alive only while this process waits for an answer. @param {boolean} yes */
  function keepAlive(yes) {
    const change = yes ? 'ref' : 'unref';
    reaper[change]();
    reaper.channel?.[change]();
  }

  /**
   * Starts a program. Resolves once the program has printed the text.
   *
   * @param {string} command
   * @param {string[]} args
   * @param {string} readyText
   */
  async function start(command, args, readyText) {
    keepAlive(true);
    reaper.send({ command, args, readyText });
    const [{ ready, ended, output }] = await once(reaper, 'message');
    keepAlive(false);
    if (!ready) throw new Error(`${command} ended with ${ended} before it was ready:\n${output}`);
    return { pid: /** @type {number} */ (ready), ended: once(reaper, 'message').then(() => undefined) };
  }

  /**
   * Runs a program to its end.
   *
   * @param {string} command
   * @param {string[]} args
   */
  async function run(command, args) {
    keepAlive(true);
    reaper.send({ command, args });
    const [{ ended, output }] = await once(reaper, 'message');
    keepAlive(false);
    if (ended !== 0) throw new Error(`${command} ended with ${ended}:\n${output}`);
  }

  /** Stops the program that runs, and removes the folder. Safe to call twice. */
  async function close() {
    keepAlive(true);
    if (reaper.connected) reaper.disconnect();
    await exited;
  }

  return { folder: /** @type {string} */ (folder), user, start, run, close, keepAlive };
}
