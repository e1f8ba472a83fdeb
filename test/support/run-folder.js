import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** The folder of this run, for a run of several projects. */
const VARIABLE = 'TASK_QUEUE_RUN_FOLDER';

/**
 * Gives this process, and all processes that it starts from now on, a temporary folder of their own: `tmpdir()` returns it. It is gone
 * soon after this process has ended, also by SIGKILL, with whatever tests and killed processes have left in it: see folder-remover.js.
 */
export async function useRunFolder() {
  if (process.env[VARIABLE]) return;
  const remover = fork(fileURLToPath(new URL('folder-remover.js', import.meta.url)), {
    // A process group of its own: the terminal sends Ctrl-C to the tests only.
    detached: true,
    execArgv: [],
    stdio: 'ignore',
  });
  const [folder] = await once(remover, 'message');
  remover.unref();
  remover.channel?.unref();
  process.env[VARIABLE] = process.env.TMPDIR = folder;
}
