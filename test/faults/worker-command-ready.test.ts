import { afterEach, expect, test } from '@jest/globals';
import { boot, type Booted } from '../support/boot.js';
import { freePrefix, startPostgres, startRedis } from '../support/servers.js';
import { WorkerCommand } from '../support/worker-command.js';
import { until } from '../support/until.js';

/** Milliseconds for a test. Alone one takes a tenth of it. */
const TIME_LIMIT = 120_000;

let server: Awaited<ReturnType<typeof startRedis>>;
let command: WorkerCommand;
let web: Booted;

afterEach(async () => {
  await command.close();
  await web.app.close();
  await server.close();
}, TIME_LIMIT);

test.each(['redis', 'postgres'] as const)(
  '/ready tells the truth about the engine and the processes on %s, and /live does not depend on them',
  async (engine) => {
    server = await (engine === 'redis' ? startRedis() : startPostgres());
    const prefix = freePrefix();
    web = await boot({ connection: server.url, prefix, role: 'producer' });
    const env = { TASK_QUEUE_URL: server.url, TASK_QUEUE_PREFIX: prefix };
    command = new WorkerCommand(['--processes', '2', '--health-port', '0'], env);
    await command.isReady(2);
    const [, origin = ''] = /are on (http:\S+)\./.exec(command.output) ?? [];
    const ask = async (path: string) => {
      const response = await fetch(`${origin}${path}`);
      return { status: response.status, text: await response.text() };
    };
    let last = { status: 0, text: '' };
    const says = (status: number, text: RegExp) =>
      until(
        async () => {
          last = await ask('/ready');
          return last.status === status && text.test(last.text);
        },
        () => `/ready says ${status} ${String(text)}; it says ${JSON.stringify(last)}`,
        60_000,
      );
    await says(200, /^ready\n$/);

    server.freeze();
    await says(503, /^not ready\nProcess \d+: The engine (did not answer within 2000 ms|cannot be reached)\.\n/);
    expect((await ask('/ready')).text).not.toContain('127.0.0.1');
    expect((await ask('/live')).status).toBe(200);
    server.thaw();
    await says(200, /^ready\n$/);

    const [frozen = 0] = command.ready;
    process.kill(frozen, 'SIGSTOP');
    await says(503, new RegExp(`^not ready\nProcess ${frozen}: It has not answered for 3 s`));
    expect((await ask('/live')).status).toBe(200);
    process.kill(frozen, 'SIGCONT');
    await says(200, /^ready\n$/);

    const handle = await web.queue.of('Crashes.quick').enqueue();
    await handle.result({ timeout: '20s' });
  },
  TIME_LIMIT,
);
