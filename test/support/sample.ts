import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';

const main = fileURLToPath(new URL('../../sample/dist/main.js', import.meta.url));

/** The password of the administrators of every sample that a test starts. */
export const ADMIN_PASSWORD = 'only for the tests';

/** Signs an administrator in, and goes on to the address `next`. */
export async function signIn(page: Page, { url }: Sample, next: string): Promise<void> {
  await page.goto(`${url}/sign-in?next=${encodeURIComponent(next)}`);
  await page.getByLabel('Password').fill(ADMIN_PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(url + next);
}

/** A temporary folder for the files of a sample. */
export async function dataFolder() {
  const path = await mkdtemp(join(tmpdir(), 'task-queue-sample-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

export interface Sample {
  /** The address of the web process; empty for a worker, which opens no port. */
  url: string;
  /** Everything that the process printed. */
  output(): string;
  /**
   * Stops the process by SIGTERM, as a service manager does. Resolves to its exit code, or to the signal that ended it.
   */
  stop(): Promise<number | NodeJS.Signals>;
  /** Kills the process by SIGKILL, so that it can do nothing any more. */
  kill(): Promise<void>;
}

/** Starts the built sample in a process of its own. Resolves once the sample is ready. */
export async function startSample(env: {
  SAMPLE_DATA: string;
  TASK_QUEUE_URL: string;
  TASK_QUEUE_ROLE?: 'producer' | 'worker';
  NODE_ENV?: string;
  SAMPLE_ADMIN_PASSWORD?: string | undefined;
  SAMPLE_DATABASE_URL?: string | undefined;
  /** The addresses of the services outside; without them the sample starts its stand-ins. */
  NETWORK_URL?: string;
  QUOTES_URL?: string;
  SMTP_URL?: string;
  /** After this time without a sign of life, another process runs the tasks of this one: `2s`. */
  SAMPLE_ABANDONED_AFTER?: string;
}): Promise<Sample> {
  const child = spawn(process.execPath, ['--enable-source-maps', main], {
    // Not the environment of the tests: with NODE_ENV=test, for example, the default engine is another one.
    env: { PATH: process.env.PATH, NO_COLOR: '1', PORT: '0', SAMPLE_ADMIN_PASSWORD: ADMIN_PASSWORD, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const killIt = () => child.kill('SIGKILL');
  process.once('exit', killIt);
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  let output = '';
  const ready = new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        const line = /^Listening on (http:\S+)$|^Working$/m.exec(output);
        if (line) resolve(line[1] ?? '');
      });
    }
    child.on('close', (code) => reject(new Error(`The sample ended with ${code} before it was ready:\n${output}`)));
  });
  return {
    url: await ready,
    output: () => output,
    async stop() {
      process.off('exit', killIt);
      child.kill();
      const [code, signal] = await ended;
      return code ?? signal ?? 0;
    },
    async kill() {
      process.off('exit', killIt);
      killIt();
      await ended;
    },
  };
}
