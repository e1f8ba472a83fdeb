import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { TaskAdmin, type TaskQueueOptions } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { freePrefix, startPostgres, startRedis, type Server } from '../support/servers.js';
import { until } from '../support/until.js';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** A worker counts as lost after 35 s without a sign of life, which no option shortens. */
const LOST_WITHIN = 90_000;
const TASKS = 60;

describe.each(['redis', 'postgres'] as const)('a worker process that is killed, on %s', (engine) => {
  let booted: Booted;
  let options: TaskQueueOptions;
  let children: ChildProcess[];
  let server: Server;

  beforeAll(async () => {
    server = await (engine === 'redis' ? startRedis() : startPostgres());
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    children = [];
    options = { connection: server.url, prefix: freePrefix(), abandonedAfter: '2s' };
    booted = await boot({ ...options, role: 'producer' });
  });
  afterEach(async () => {
    for (const child of children) child.kill('SIGKILL');
    await booted.app.close();
  });

  async function startWorker(env: Record<string, string> = {}): Promise<ChildProcess> {
    const child = fork(path('support/listed-program.ts'), [], {
      execArgv: ['--import', path('../support/typescript-loader.js')],
      env: { ...process.env, NODE_ENV: 'production', OPTIONS: JSON.stringify(options), ...env },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    children.push(child);
    await once(child, 'message');
    return child;
  }

  it('leaves its act on many tasks to another process, and is listed as lost', async () => {
    const admin = booted.app.get(TaskAdmin);
    const stateOf = async (pid: number | undefined) =>
      (await admin.workers()).find((worker) => worker.pid === pid)?.state;
    const first = await startWorker({ FAIL: 'yes' });
    await until(async () => (await stateOf(first.pid)) === 'alive', 'the worker is listed');
    const run = booted.queue.of<() => void>('Work.run').with({ queue: 'listed' });
    const handles = await run.enqueueMany(Array.from({ length: TASKS }, (): [] => []));
    await Promise.allSettled(handles.map((handle) => handle.result({ timeout: '30s' })));
    await admin.pause('listed');
    const act = await admin.retryAll({ queue: 'listed' }, { rate: 10, by: 'ada', reason: 'The shop opens.' });
    const progress = async () => (await act.status()).progress as { current?: number; total?: number } | null;
    await until(async () => ((await progress())?.current ?? 0) > 0, 'the act has begun');
    expect((await progress())?.total).toBeGreaterThan(TASKS / 2);
    first.kill('SIGKILL');
    await once(first, 'exit');
    const second = await startWorker();
    await act.result({ timeout: '60s' });
    await admin.resume('listed');
    await Promise.all(handles.map((handle) => handle.result({ timeout: '30s' })));
    await until(async () => (await stateOf(first.pid)) === 'lost', 'the killed worker is listed as lost', LOST_WITHIN);
    expect(await stateOf(second.pid)).toBe('alive');
  }, 180_000);
});
