import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { boot, type Booted } from '../support/boot.js';
import { freePrefix } from '../support/servers.js';
import { isAlive, WorkerCommand } from '../support/worker-command.js';
import { until } from '../support/until.js';

/** The command `worker` with processes of its own, on a real server. */

const url = process.env['TEST_REDIS_URL'] ?? '';
let prefix: string;
let web: Booted;
let env: Record<string, string>;
const commands: WorkerCommand[] = [];

beforeEach(async () => {
  prefix = freePrefix();
  env = { TASK_QUEUE_URL: url, TASK_QUEUE_PREFIX: prefix };
  web = await boot({ connection: url, prefix, role: 'producer' });
});
afterEach(async () => {
  await Promise.all(commands.splice(0).map((command) => command.close()));
  await web.app.close();
});

function start(options: readonly string[] = [], more: NodeJS.ProcessEnv = {}): WorkerCommand {
  const command = new WorkerCommand(options, { ...env, ...more });
  commands.push(command);
  return command;
}

const enqueue = (task: string, ...args: unknown[]) => web.queue.of(task).enqueue(...args);
const result = async (task: string, ...args: unknown[]) =>
  await (await enqueue(task, ...args)).result({ timeout: '25s' });

describe('options', () => {
  test('the command line is over the environment, and both are over forRoot(): role, queues, concurrency', async () => {
    const command = start(['--queues', 'other,default', '--concurrency', '2'], {
      TASK_QUEUE_QUEUES: 'nothing',
      TASK_QUEUE_CONCURRENCY: '7',
      TASK_QUEUE_ROLE: 'producer',
    });
    await command.isReady(1);
    expect(command.output).toMatch(/is ready after \d+ ms: runs other, default, on Redis at/);
    const handle = await web.queue.of('OtherWork.pid').with({ queue: 'other' }).enqueue();
    expect(await handle.result({ timeout: '20s' })).toBe(command.ready[0]);
    await Promise.all(Array.from({ length: 3 }, () => enqueue('Work.slow', 60_000)));
    await until(() => command.recorded('started').length === 2);
    command.signal('SIGKILL');
  }, 120_000);

  test('each option has a variable, and a wrong value is one line and exit code 2', async () => {
    const variables = { TASK_QUEUE_PROCESSES: '2', TASK_QUEUE_QUEUES: 'other', TASK_QUEUE_HEALTH_PORT: '0' };
    const command = start([], variables);
    await command.isReady(2);
    expect(command.output).toContain('runs other,');
    await command.says(/\/metrics are on http:\/\/127\.0\.0\.1:\d+\./);
    const wrong = start(['--max-memory', 'much']);
    expect(await wrong.exited).toBe(2);
    expect(wrong.output).toBe(
      '--max-memory is "much". Give the resident memory of one process, at least 32mb: 512mb, 1.5gb.\n',
    );
  }, 120_000);

  test('configureWorker() sets the global pipes of main.ts', async () => {
    const command = start([], { SHOUT: 'yes' });
    await command.isReady(1);
    expect(await result('Crashes.echo', 'hello')).toBe('HELLO');
  }, 120_000);

  test('no password is in the arguments or in the output', async () => {
    const secret = 'hush-hush';
    const command = start([], { TASK_QUEUE_URL: `redis://app:${secret}@127.0.0.1:1/0` });
    await command.says('127.0.0.1:1');
    command.signal('SIGTERM');
    await command.exited;
    expect(command.output).not.toContain(secret);
  }, 120_000);
});

describe('signals', () => {
  test('SIGTERM waits for the running tasks and takes no more; the exit code is 0', async () => {
    const command = start(['--processes', '2']);
    await command.isReady(2);
    const running = await enqueue('Work.slow', 3_000);
    await until(() => command.recorded('started').length === 1, 'the task has started');
    command.signal('SIGTERM');
    await command.says('SIGTERM: takes no more tasks');
    await until(() => command.ready.some((pid) => !isAlive(pid)), 'the process without a task has ended');
    const waiting = await enqueue('Work.slow', 1);
    expect(await command.exited).toBe(0);
    expect(await running.result({ timeout: '5s' })).toBe(running.id);
    expect(['queued', 'retrying']).toContain((await waiting.status()).state);
    for (const pid of command.ready) expect(isAlive(pid)).toBe(false);
  }, 120_000);

  test('a second SIGTERM ends at once, and the task runs again elsewhere, in its first attempt', async () => {
    const command = start();
    await command.isReady(1);
    const running = await enqueue('Work.slow', 60_000);
    await until(() => command.recorded('started').length === 1, 'the task has started');
    command.signal('SIGTERM');
    await command.says('SIGTERM: takes no more tasks');
    command.signal('SIGTERM');
    expect(await command.exited).toBe(143);
    expect(isAlive(command.ready[0] as number)).toBe(false);
    expect(command.recorded('aborted', running.id).length).toBe(1);
    expect(await running.status()).toMatchObject({ state: expect.stringMatching(/^(queued|retrying)$/), error: null });
  }, 120_000);

  test('SIGHUP replaces one process after the other, and every task runs once', async () => {
    const command = start(['--processes', '2']);
    await command.isReady(2);
    const handles = await Promise.all(Array.from({ length: 60 }, () => enqueue('Work.slow', 400)));
    await until(() => command.recorded('started').length >= 20, 'tasks run');
    command.signal('SIGHUP');
    await command.says('All processes are new.');
    for (const handle of handles) expect(await handle.result({ timeout: '25s' })).toBe(handle.id);
    expect(command.recorded('finished').length).toBe(60);
    const [first, second, ...fresh] = command.ready;
    expect(fresh.length).toBe(2);
    await until(() => !isAlive(first as number) && !isAlive(second as number), 'the old processes have ended');
    command.signal('SIGINT');
    expect(await command.exited).toBe(0);
  }, 120_000);
});

describe('processes that end', () => {
  test('one that is killed or exits is started again', async () => {
    const command = start();
    await command.isReady(1);
    process.kill(command.ready[0] as number, 'SIGKILL');
    await command.isReady(2);
    await command.says(/Process \d+ was ended by SIGKILL .* Another one starts in 0\.25 s\./);
    await enqueue('Crashes.exit');
    await command.isReady(3);
    await command.says(/Process \d+ ended with exit code 0\. Another one starts in 1 s\./);
    expect(await result('Crashes.echo', 'still here')).toBe('still here');
  }, 120_000);

  test('when none comes up, the command gives up with the reason', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'worker-command-broken-'));
    try {
      writeFileSync(join(folder, 'broken.mjs'), 'throw new Error("no such host: db password=hush");\n');
      const command = start([join(folder, 'broken.mjs'), '--processes', '2']);
      expect(await command.exited).toBe(1);
      expect(command.output).toMatch(/No process of .*broken\.mjs came up: .*no such host: db password=\[masked\]/);
      expect(command.output).not.toContain('hush');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }, 120_000);

  test('SIGTERM to one process replaces it, and its task goes on', async () => {
    const command = start();
    await command.isReady(1);
    const running = await enqueue('Work.slow', 4_000);
    await until(() => command.recorded('started').length === 1, 'the task has started');
    process.kill(command.ready[0] as number, 'SIGTERM');
    await command.isReady(2);
    expect(await running.result({ timeout: '25s' })).toBe(running.id);
    expect(command.recorded('finished', running.id).map(({ pid }) => pid)).toEqual([command.ready[0]]);
  }, 120_000);

  test('the processes end with the supervisor, also when they compute', async () => {
    const command = start(['--processes', '2']);
    await command.isReady(2);
    await enqueue('Work.block', 60_000);
    await until(() => command.recorded('started').length === 1, 'the task computes');
    command.signal('SIGKILL');
    await command.exited.catch(() => undefined);
    await until(() => command.ready.every((pid) => !isAlive(pid)), 'both processes have ended', 10_000);
  }, 120_000);
});

describe('recycling', () => {
  test('--max-tasks: a process runs so many tasks, and none is lost', async () => {
    const command = start(['--max-tasks', '20', '--concurrency', '1']);
    await command.isReady(1);
    const handles = await Promise.all(Array.from({ length: 50 }, () => enqueue('Crashes.quick')));
    for (const handle of handles) await handle.result({ timeout: '50s' });
    const runs = command.recorded('finished');
    const counts = [...new Set(runs.map(({ pid }) => pid))].map((pid) => runs.filter((run) => run.pid === pid).length);
    expect(runs.length).toBe(50);
    // A process whose successor comes up early stops a little before.
    expect(counts.length).toBeGreaterThanOrEqual(3);
    expect(Math.max(...counts)).toBe(20);
  }, 120_000);

  test('--max-memory: a process that needs more is replaced, after its task', async () => {
    const command = start(['--max-memory', '450mb']);
    await command.isReady(1);
    const running = await enqueue('Work.slow', 3_000);
    await until(() => command.recorded('started').length === 1, 'the task has started');
    expect(await result('Crashes.leak', 500)).toBe(command.ready[0]);
    await command.says('it needs more memory than --max-memory allows');
    await command.isReady(2);
    expect(await running.result({ timeout: '25s' })).toBe(running.id);
    expect(await result('Crashes.leak', 1)).toBe(command.ready[1]);
  }, 120_000);
});

test('the health port answers probes, and adds up the figures of the processes', async () => {
  const command = start(['--processes', '2', '--health-port', '0']);
  await command.says(/are on (http:\S+)\./);
  const [, origin] = /are on (http:\S+)\./.exec(command.output) as unknown as [string, string];
  const status = async (path: string) => (await fetch(`${origin}${path}`)).status;
  expect(await status('/live')).toBe(200);
  expect(await status('/ready')).toBe(503);
  await command.isReady(2);
  await until(async () => (await status('/ready')) === 200, 'the command is ready');
  for (let run = 0; run < 10; run++) await result('Crashes.quick');
  const figures = async () => (await fetch(`${origin}/metrics`)).text();
  await until(
    async () => (await figures()).includes('task_queue_worker_attempts_total 10\n'),
    'all attempts are counted',
  );
  expect(await figures()).toContain('task_queue_worker_processes{state="ready"} 2\n');
  // Those of the application's registry, also of processes that have ended.
  const consumed = 'messaging_client_consumed_messages_total{queue="default",task="Crashes.quick"} 10\n';
  await until(async () => (await figures()).includes(consumed), 'the metrics of the processes are added up');
  command.signal('SIGHUP');
  await command.says('All processes are new.');
  await until(() => command.ready.slice(0, 2).every((pid) => !isAlive(pid)), 'the old processes have ended');
  await until(async () => (await figures()).includes(consumed), 'the counts of the old processes stay');
  expect(await status('/')).toBe(404);
  await enqueue('Work.slow', 3_000);
  await until(() => command.recorded('started').length === 1, 'the task has started');
  command.signal('SIGTERM');
  await command.says('SIGTERM: takes no more tasks');
  expect(await status('/ready')).toBe(503);
  expect(await status('/live')).toBe(200);
  expect(await command.exited).toBe(0);
}, 120_000);

test('--watch restarts on a new build; one that does not boot leaves the old processes running', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'worker-command-watch-'));
  try {
    mkdirSync(join(folder, 'dist'));
    symlinkSync(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(folder, 'node_modules'));
    const file = join(folder, 'dist/app.module.mjs');
    const application = new URL('../support/worker-application.ts', import.meta.url).href;
    writeFileSync(file, `export * from '${application}';\n`);
    const command = start([file, '--watch']);
    await command.isReady(1);
    writeFileSync(join(folder, 'dist/app.log'), 'no code');
    writeFileSync(file, 'throw new Error("half a build");\n');
    await command.says('The new process did not come up, so the old one goes on: half a build');
    expect(await result('Work.slow', 1)).toBeTruthy();
    writeFileSync(file, `export * from '${application}'; // new\n`);
    await command.says('All processes are new.');
    await until(() => !isAlive(command.ready[0] as number), 'the old process has ended');
    utimesSync(file, new Date(), new Date());
    await command.isReady(3);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 120_000);

test('on an embedded folder one process runs, and it is replaced after it has ended; several are refused', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'worker-command-embedded-'));
  try {
    const embedded = { TASK_QUEUE_URL: `pglite:${folder}/store`, TASK_QUEUE_PREFIX: 'tasks' };
    const refused = start(['--processes', '2'], embedded);
    expect(await refused.exited).toBe(2);
    expect(refused.output).toContain('one process alone can open the folder');
    const command = start([], embedded);
    await command.isReady(1);
    command.signal('SIGHUP');
    await command.says('All processes are new.', 90_000);
    expect(command.ready.length).toBe(2);
    command.signal('SIGTERM');
    expect(await command.exited).toBe(0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 180_000);
