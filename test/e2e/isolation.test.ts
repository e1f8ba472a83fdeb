import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Provider } from '@nestjs/common';
import {
  ConfigurationError,
  Task,
  TaskProcessor,
  type IsolationOptions,
  type TaskQueueOptions,
} from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { ISOLATED_PROVIDERS } from '../support/isolated-application.js';
import { childEnvironment, childrenStoreIn } from '../support/isolated-children.js';
import { LogLines } from '../support/log-lines.js';
import { freePrefix } from '../support/servers.js';
import { until } from '../support/until.js';
import { isAlive, WorkerCommand } from '../support/worker-command.js';

/** Isolated tasks whose processes crash, are killed, or do not end. */

const app = fileURLToPath(new URL('../support/isolated-application.ts', import.meta.url));
childEnvironment();

let folder: string;
let journal: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'isolation-'));
  journal = join(folder, 'journal');
  writeFileSync(journal, '');
  process.env['JOURNAL'] = journal;
  childrenStoreIn({ connection: 'memory:' });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The ids of the processes in which a task with this name of the journal began, in this order. */
const pidsOf = (event: string): number[] =>
  readFileSync(journal, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith(`${event} `))
    .map((line) => Number(line.split(' ')[1]));

describe('with children of this process', () => {
  let booted: Booted;
  let logger: LogLines;
  let output = '';
  const start = async (isolation: IsolationOptions = {}) => {
    logger = new LogLines();
    booted = await boot(
      { connection: 'memory:', isolation: { app, processes: 1, ...isolation } },
      ISOLATED_PROVIDERS,
      logger,
    );
  };
  const run = async (name: string, ...args: unknown[]): Promise<unknown> =>
    (await booted.queue.of(name).enqueue(...args)).result({ timeout: '60s' });
  const pid = async () => ((await run('isolated.where')) as { pid: number }).pid;

  beforeEach(() => {
    output = '';
    for (const stream of [process.stdout, process.stderr]) {
      const write = stream.write.bind(stream);
      jest.spyOn(stream, 'write').mockImplementation(((text: string, ...rest: never[]) => {
        if (typeof text === 'string' && text.startsWith('[isolated ')) output += text;
        else return write(text, ...rest);
        return true;
      }) as never);
    }
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await booted.app.close();
  });

  it('a crash is survived once; the second is the failure, with the reason and the last lines', async () => {
    await start();
    const file = join(folder, 'runs');
    writeFileSync(file, '');
    expect(await run('isolated.exits', 0, 1, file)).toBe('survived');
    expect(logger.lines).toContainEqual(expect.stringMatching(/^WARN Task isolated\.exits .* runs once more/));
    const [first, second] = readFileSync(file, 'utf8').split('\n').map(Number);
    expect(first).not.toBe(second);
    expect(output).toContain(`[isolated ${first}] the last words\n`);
    expect(output).toContain(`[isolated ${first}] what went wrong\n`);
    await expect(run('isolated.exits', 7, 9, file)).rejects.toMatchObject({
      cause: {
        code: 'WORKER_LOST',
        message: expect.stringMatching(
          /ended with exit code 7\. Its last lines: what went wrong\. It is not run again/,
        ),
      },
    });
    expect(await run('isolated.price', 'plum')).toBe(4);
  }, 120_000);

  it('kill -9 of a child that computes: the task runs once more in another child', async () => {
    await start();
    const handle = await booted.queue.of('isolated.blocks').enqueue(1_000);
    await until(() => pidsOf('blocks').length === 1);
    process.kill(pidsOf('blocks')[0] as number, 'SIGKILL');
    expect(await handle.result({ timeout: '60s' })).toBe(pidsOf('blocks')[1]);
    expect(pidsOf('blocks')[1]).not.toBe(pidsOf('blocks')[0]);
    expect(logger.lines).toContainEqual(expect.stringContaining('was ended by SIGKILL'));
  }, 120_000);

  it.each([
    ['heap', /ran out of memory|resident memory grew to \d+ MB and its limit is 300 MB/],
    ['buffers', /resident memory grew to \d+ MB and its limit is 300 MB/],
  ])(
    'a task that takes too much memory (%s) fails with the reason',
    async (name, reason) => {
      await start();
      await expect(run(`isolated.${name}`)).rejects.toMatchObject({
        cause: { code: 'WORKER_LOST', message: expect.stringMatching(reason) },
      });
    },
    60_000,
  );

  it('a method that ignores its signal and SIGTERM is killed 2 s after its timeout, and its process is not used again', async () => {
    await start();
    const startedAt = performance.now();
    await expect(run('isolated.ignores')).rejects.toMatchObject({ cause: { code: 'TASK_TIMEOUT' } });
    expect(performance.now() - startedAt).toBeGreaterThan(2_100);
    const [killed] = pidsOf('ignores');
    expect(isAlive(killed as number)).toBe(false);
    expect(await pid()).not.toBe(killed);
  }, 120_000);

  it('a method that ends in time after its signal keeps its process', async () => {
    await start();
    const before = await pid();
    await expect(run('isolated.listens')).rejects.toMatchObject({ cause: { code: 'TASK_TIMEOUT' } });
    expect(await pid()).toBe(before);
    expect(logger.lines).toContainEqual(expect.stringContaining('A listener on the signal of Task isolated.listens'));
  }, 120_000);

  it('a child is replaced after maxTasks attempts by one that is ready', async () => {
    await start({ maxTasks: 3 });
    const pids: number[] = [];
    for (let task = 0; task < 7; task++) pids.push(await pid());
    expect(pids.map((one) => pids.indexOf(one))).toEqual([0, 0, 0, 3, 3, 3, 6]);
    await until(() => !isAlive(pids[0] as number));
  }, 120_000);

  it('no more tasks are taken than there are children, and closing ends all of them', async () => {
    await start({ processes: 2 });
    const handles = await Promise.all(Array.from({ length: 4 }, () => booted.queue.of('isolated.waits').enqueue()));
    await until(() => pidsOf('waits').length === 2);
    const states = await Promise.all(handles.map(async (handle) => (await handle.status()).state));
    expect(states.toSorted()).toEqual(['queued', 'queued', 'running', 'running']);
    await booted.app.close();
    await until(() => pidsOf('waits').every((one) => !isAlive(one)));
  }, 120_000);
});

/** The application of the children does not know it. */
@TaskProcessor({ queue: 'isolated', isolate: true })
class MoreTasks {
  @Task('isolated.more')
  more(): void {}
}

describe('the boot', () => {
  const refused = async (isolation?: false | IsolationOptions) =>
    boot({ connection: 'memory:', ...(isolation !== undefined && { isolation }) }, ISOLATED_PROVIDERS).catch(
      (error: unknown) => error,
    );
  const refusedWith = async (options: TaskQueueOptions, ...more: Provider[]) => {
    const whole = { connection: 'memory:', isolation: { app }, ...options };
    const error = await boot(whole, [...ISOLATED_PROVIDERS, ...more]).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ConfigurationError);
    return (error as Error).message;
  };

  it('names the option when nothing names the application', async () => {
    const error = await refused();
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as Error).message).toMatch(
      /isolation: \{ app: new URL\('\.\/app\.module\.js', import\.meta\.url\) \}/,
    );
  });

  it('names the reason when the application does not boot', async () => {
    const wrong = await refused({ app: join(folder, 'missing.js') });
    expect((wrong as Error).message).toMatch(/did not boot .*missing\.js[^]*There is no file/);
    const file = join(folder, 'broken.mjs');
    writeFileSync(file, 'export class AppModule {}\nthrow new Error("no configuration");\n');
    const broken = await refused({ app: file });
    expect(broken).toBeInstanceOf(ConfigurationError);
    expect((broken as Error).message).toContain('no configuration');
  }, 120_000);

  it('refuses an application with another prefix, another store or other tasks, and names both', async () => {
    const ofChild =
      'did not boot .*isolated-application.ts: it would store tasks in the memory engine, prefix tasks, and';
    expect(await refusedWith({ prefix: 'orders' })).toMatch(
      new RegExp(
        `${ofChild} this process stores them in the memory engine, prefix orders\\. Give forRoot\\(\\) the same`,
      ),
    );
    expect(await refusedWith({ connection: 'memory:here' })).toMatch(
      new RegExp(`${ofChild} this process stores them in the memory engine "here", prefix tasks`),
    );
    expect(await refusedWith({}, MoreTasks)).toMatch(
      /it declares the isolated tasks .*"mixed\.blocks", and this process declares "isolated\.more" too\. Name the root module/,
    );
  }, 120_000);

  it('a task that came into another queue waits, and the log tells why no child boots for it', async () => {
    const logger = new LogLines();
    const booted = await boot({ connection: 'memory:', consume: ['plain'] }, ISOLATED_PROVIDERS, logger);
    const handle = await booted.queue.of('isolated.where').with({ queue: 'plain' }).enqueue();
    const reason =
      /^ERROR A child process for isolated tasks did not boot; another attempt .*nothing names the application/;
    await until(() => logger.lines.some((line) => reason.test(line)));
    expect((await handle.status()).state).not.toBe('failed');
    await booted.app.close();
  });

  it('isolation: false runs the tasks in the process', async () => {
    const booted = (await refused(false)) as Booted;
    const handle = await booted.queue.of('isolated.where').enqueue();
    expect(await handle.result({ timeout: '10s' })).toMatchObject({ pid: process.pid });
    await booted.app.close();
  });
});

describe('with the worker command', () => {
  it('the command names the application; children end with a killed parent also while they compute, and the task runs again', async () => {
    const connection = process.env['TEST_REDIS_URL'] ?? '';
    const prefix = freePrefix();
    const web = await boot({ connection, prefix, role: 'producer' });
    const command = new WorkerCommand([app], { TASK_QUEUE_URL: connection, TASK_QUEUE_PREFIX: prefix }, journal);
    try {
      await command.isReady(1);
      const handle = await web.queue.of('isolated.blocks').with({ queue: 'isolated' }).enqueue(3_000);
      await until(() => pidsOf('blocks').length === 1);
      process.kill(command.ready[0] as number, 'SIGKILL');
      await until(() => !isAlive(pidsOf('blocks')[0] as number));
      const result = await handle.result({ timeout: '40s' });
      expect(result).toBe(pidsOf('blocks')[1]);
      command.signal('SIGTERM');
      await command.exited;
      expect(isAlive(result as number)).toBe(false);
    } finally {
      await command.close();
      await web.app.close();
    }
  }, 90_000);
});
