import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TaskAdmin } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { freePrefix } from '../support/servers.js';
import { until } from '../support/until.js';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** A process, and what it has sent and printed. */
interface Worker {
  readonly child: ChildProcess;
  readonly sent: unknown[];
  output: string;
}

describe.each(['redis', 'postgres'] as const)('TaskAdmin.shutdown() of another process on %s', (engine) => {
  let booted: Booted;
  let place: { connection: string; prefix: string };
  let workers: Worker[];

  beforeEach(async () => {
    workers = [];
    const url = process.env[engine === 'redis' ? 'TEST_REDIS_URL' : 'TEST_POSTGRES_URL'] ?? '';
    place = { connection: url, prefix: freePrefix() };
    booted = await boot({ ...place, role: 'producer' });
  });
  afterEach(async () => {
    for (const { child } of workers) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await booted.app.close();
  });

  async function startWorker(env: Record<string, string>): Promise<Worker> {
    const child = fork(path('support/remote-worker.ts'), [], {
      execArgv: ['--import', path('../support/typescript-loader.js')],
      env: { ...process.env, PLACE: JSON.stringify(place), ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const worker: Worker = { child, sent: [], output: '' };
    workers.push(worker);
    child.on('message', (message) => worker.sent.push(message));
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (worker.output += text));
    await until(
      () => worker.sent.includes('ready') || child.exitCode !== null,
      () => `the worker is ready: ${worker.output}`,
    );
    return worker;
  }

  it('lets the running task end, calls the shutdown hooks and ends the process as SIGTERM does', async () => {
    const admin = booted.app.get(TaskAdmin);
    const worker = await startWorker({ HOOKS: 'yes' });
    const { child, sent } = worker;
    const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    const running = await booted.queue.of('Slow.wait').enqueue();
    await until(() => sent.includes('started'));
    const [info] = await admin.workers();
    await admin.shutdown(info?.id ?? '', { grace: '20s', by: 'ada' });
    await until(() => worker.output.includes('ada shuts this process down'));
    const next = await booted.queue.of('Slow.wait').enqueue();
    child.send('end');
    expect(await running.result()).toBe('ended there');
    expect(await exited).toEqual([null, 'SIGTERM']);
    expect(sent).toContain('hook SIGTERM');
    expect(await admin.workers()).toEqual([]);
    // A worker that had just taken it gives it back, and then it counts as started.
    expect(['queued', 'retrying']).toContain((await next.status()).state);
    expect(sent.filter((message) => message === 'started')).toHaveLength(1);
  });

  it('leaves a process alive that does not listen for SIGTERM, but lets it take no more tasks, and says so', async () => {
    const admin = booted.app.get(TaskAdmin);
    const worker = await startWorker({});
    const [info] = await admin.workers();
    await admin.shutdown(info?.id ?? '', { by: 'ada', reason: 'too much memory' });
    await until(async () => (await admin.workers()).length === 0);
    await until(() => worker.output.includes('enableShutdownHooks'));
    expect(worker.output).toContain('ada shuts this process down: too much memory.');
    expect(worker.child.exitCode).toBeNull();
    const waits = await booted.queue.of('Slow.wait').enqueue();
    await startWorker({});
    await until(() => workers.at(-1)?.sent.includes('started') ?? false);
    expect(worker.sent).not.toContain('started');
    workers.at(-1)?.child.send('end');
    expect(await waits.result()).toBe('ended there');
  });
});
