import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createManagedProcess, type ManagedProcess } from '../support/managed-process.js';
import { freePrefix } from '../support/servers.js';
import { until } from '../support/until.js';

/** The command as a program of its own, beside an application in a process of its own. */

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const SOURCE = ['--import', path('../support/typescript-loader.js')];
const CLI = [...SOURCE, path('../../lib/cli/main.ts')];

describe('the command beside an application on an embedded folder', () => {
  let managed: ManagedProcess;
  let worker: ChildProcess;
  let env: NodeJS.ProcessEnv;
  beforeAll(async () => {
    managed = await createManagedProcess();
    const url = `pglite:${managed.folder}/store`;
    env = {
      ...process.env,
      NODE_OPTIONS: '',
      TASK_QUEUE_URL: url,
      TASK_QUEUE_PREFIX: freePrefix(),
      JEST_WORKER_ID: '',
    };
    worker = spawn(process.execPath, [...SOURCE, path('support/cli-worker.ts')], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(worker.stdout as NodeJS.ReadableStream, 'data');
  }, 60_000);
  afterAll(async () => {
    worker.kill('SIGKILL');
    if (worker.exitCode === null && worker.signalCode === null) await once(worker, 'exit');
    await managed.close();
  });

  /** Resolves with the exit code, whatever it is. */
  const cli = (...args: string[]) =>
    promisify(execFile)(process.execPath, [...CLI, ...args], { env }).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({ code, stdout, stderr }),
    );

  test('it enqueues, waits, and shows what the task wrote', async () => {
    const { code, stdout } = await cli('enqueue', 'ReportTasks.build', '--args', '["2026-11"]', '--wait', '--json');
    expect(code).toBe(0);
    const { id, result } = JSON.parse(stdout) as { id: string; result: string };
    expect(result).toBe('2026-11.pdf');
    expect((await cli('logs', id)).stdout).toContain('builds 2026-11');
  }, 60_000);

  test('Ctrl-C ends --follow, with exit code 0', async () => {
    const { stdout } = await cli('enqueue', 'ReportTasks.talk', '--json');
    const { id } = JSON.parse(stdout) as { id: string };
    const following = spawn(process.execPath, [...CLI, 'logs', id, '--follow'], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const exited = once(following, 'exit');
    let text = '';
    following.stdout.on('data', (data: Buffer) => (text += data.toString()));
    await until(() => text.includes('line 3\n'), 'three lines are shown');
    following.kill('SIGINT');
    expect(await exited).toEqual([0, null]);
    expect(
      text
        .split('\n')
        .slice(0, 3)
        .map((line) => line.slice(-6)),
    ).toEqual(['line 1', 'line 2', 'line 3']);
  }, 60_000);

  test('wrong usage and a destructive act without --yes end with their exit codes', async () => {
    expect(await cli('stauts')).toMatchObject({ code: 2, stdout: '' });
    expect(await cli('purge', 'reports')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('give --yes'),
    });
  }, 60_000);

  test('after the application was killed, the queue that nobody runs is shown', async () => {
    worker.kill('SIGKILL');
    await once(worker, 'exit');
    const { code, stdout } = await cli('list', '--queue', 'reports', '--state', 'running', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ items: [{ name: 'ReportTasks.talk', state: 'running' }] });
  }, 60_000);
});
