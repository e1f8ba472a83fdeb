import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { TaskHandle } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { freePrefix, startRedis } from '../support/servers.js';
import { isAlive, WorkerCommand } from '../support/worker-command.js';
import { until } from '../support/until.js';

/** Milliseconds for a test. Alone one takes a tenth of it. */
const TIME_LIMIT = 240_000;

let server: Awaited<ReturnType<typeof startRedis>>;
let web: Booted;
let env: Record<string, string>;
const commands: WorkerCommand[] = [];

beforeEach(async () => {
  server = await startRedis();
  const prefix = freePrefix();
  env = { TASK_QUEUE_URL: server.url, TASK_QUEUE_PREFIX: prefix };
  web = await boot({ connection: server.url, prefix, role: 'producer' });
}, TIME_LIMIT);
afterEach(async () => {
  await Promise.all(commands.splice(0).map((command) => command.close()));
  await web.app.close();
  await server.close();
}, TIME_LIMIT);

function start(...options: string[]): WorkerCommand {
  const command = new WorkerCommand(options, env);
  commands.push(command);
  return command;
}

test(
  'a process that ignores SIGTERM because it computes is killed after the grace, and its task runs elsewhere',
  async () => {
    const command = start('--grace', '1s');
    await command.isReady(1);
    const [pid] = command.ready as [number];
    const handle = await web.queue.of('Work.block').enqueue(45_000);
    await until(() => command.recorded('started', handle.id).length === 1, 'the task computes', 60_000);
    const begun = performance.now();
    command.signal('SIGTERM');
    expect(await command.exited).toBe(0);
    // The grace, and 15 s to give the task back.
    expect(performance.now() - begun).toBeGreaterThan(10_000);
    expect(isAlive(pid)).toBe(false);
    expect(command.recorded('finished', handle.id)).toEqual([]);
    const successor = start();
    await until(() => successor.recorded('started', handle.id).length === 1, 'it starts elsewhere', 60_000);
  },
  TIME_LIMIT,
);

test(
  'processes that pass --max-memory under load are replaced, no task is lost and none runs twice',
  async () => {
    const command = start('--processes', '2', '--concurrency', '5', '--max-memory', '400mb');
    await command.isReady(2);
    const handles: TaskHandle[] = [];
    const leaks: TaskHandle[] = [];
    // Each process keeps 40 MB of every call, so it passes the limit after a few of them.
    while (command.output.split('more memory than --max-memory').length <= 3) {
      handles.push(...(await web.queue.of('Work.slow').enqueueMany(Array.from({ length: 5 }, () => [300]))));
      const leak = await web.queue.of('Crashes.leak').enqueue(40);
      leaks.push(leak);
      await leak.result({ timeout: '60s' });
    }
    for (const handle of [...handles, ...leaks]) await handle.result({ timeout: '60s' });
    const finished = command.recorded('finished').map(({ id }) => id);
    expect(new Set(finished)).toEqual(new Set(handles.map(({ id }) => id)));
    expect(finished.length).toBe(handles.length);
    expect(command.output).not.toContain('SIGKILL');
    command.signal('SIGTERM');
    expect(await command.exited).toBe(0);
  },
  TIME_LIMIT,
);
