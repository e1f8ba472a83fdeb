import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../sample/dist/main.js', import.meta.url));

/** A temporary folder, for what a sample stores. */
export async function dataFolder() {
  const path = await mkdtemp(join(tmpdir(), 'task-queue-sample-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

export interface Sample {
  /** Where it listens; a worker listens nowhere. */
  url: string;
  /** Everything it printed. */
  output(): string;
  /** Stops it by SIGTERM, as a service manager does, and gives its exit code or the signal that ended it. */
  stop(): Promise<number | NodeJS.Signals>;
}

/** Starts the built sample as a process of its own; resolves when it can be used. */
export async function startSample(env: {
  SAMPLE_DATA: string;
  TASK_QUEUE_URL: string;
  TASK_QUEUE_ROLE?: 'producer' | 'worker';
  NODE_ENV?: string;
}): Promise<Sample> {
  const child = spawn(process.execPath, ['--enable-source-maps', main], {
    // Not the tests' own environment: NODE_ENV=test, for one, has another default engine.
    env: { PATH: process.env.PATH, NO_COLOR: '1', PORT: '0', ...env },
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
  };
}
