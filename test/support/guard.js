import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/**
 * Whom a program runs as.
 *
 * @typedef {{ uid: number, gid: number }} User
 */

/** @typedef {Awaited<ReturnType<typeof startGuard>>} Guard */

/**
 * A temporary folder, and a process that runs one program at a time in it and outlives this process just long enough
 * to remove both: see guardian.js.
 *
 * @param {User} [user] whom the folder belongs to and the programs run as. Default: ours
 */
export async function startGuard(user) {
  const guardian = fork(fileURLToPath(new URL('guardian.js', import.meta.url)), [JSON.stringify(user ?? {})], {
    // Away from the terminal: its Ctrl-C is for the tests.
    detached: true,
    execArgv: [],
    stdio: 'ignore',
  });
  const exited = once(guardian, 'exit');
  const [{ folder }] = await once(guardian, 'message');
  keepAlive(false);

  /** Only while an answer is awaited does the guardian keep this process alive. @param {boolean} yes */
  function keepAlive(yes) {
    const change = yes ? 'ref' : 'unref';
    guardian[change]();
    guardian.channel?.[change]();
  }

  /**
   * Starts a program; resolves once it has printed the text.
   *
   * @param {string} command
   * @param {string[]} args
   * @param {string} readyText
   */
  async function start(command, args, readyText) {
    keepAlive(true);
    guardian.send({ command, args, readyText });
    const [{ ready, ended, output }] = await once(guardian, 'message');
    keepAlive(false);
    if (!ready) throw new Error(`${command} ended with ${ended} before it was ready:\n${output}`);
    return { pid: /** @type {number} */ (ready), ended: once(guardian, 'message').then(() => undefined) };
  }

  /**
   * Runs a program to its end.
   *
   * @param {string} command
   * @param {string[]} args
   */
  async function run(command, args) {
    keepAlive(true);
    guardian.send({ command, args });
    const [{ ended, output }] = await once(guardian, 'message');
    keepAlive(false);
    if (ended !== 0) throw new Error(`${command} ended with ${ended}:\n${output}`);
  }

  /** Kills what runs and removes the folder; twice does no harm. */
  async function close() {
    keepAlive(true);
    if (guardian.connected) guardian.disconnect();
    await exited;
  }

  return { folder: /** @type {string} */ (folder), user, start, run, close, keepAlive };
}
