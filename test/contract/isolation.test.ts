import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { chain, group, TaskAdmin, TaskCancelledError, TaskFailedError, type IsolationOptions } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine, type Place } from '../support/engines.js';
import { childEnvironment, childrenStoreIn } from '../support/isolated-children.js';
import { ISOLATED_PROVIDERS, IsolatedTasks } from '../support/isolated-application.js';
import { LogLines } from '../support/log-lines.js';
import { until } from '../support/until.js';

const app = fileURLToPath(new URL('../support/isolated-application.ts', import.meta.url));
childEnvironment();

describeEachEngine('isolated tasks', (engine) => {
  let place: Place;
  let booted: Booted;
  const logger = new LogLines();
  const start = (isolation: IsolationOptions = {}) =>
    boot({ ...place, isolation: { app, ...isolation } }, ISOLATED_PROVIDERS, logger);
  const run = async (name: string, ...args: unknown[]): Promise<unknown> =>
    (await booted.queue.of(name).enqueue(...args)).result({ timeout: '25s' });

  beforeAll(async () => {
    place = await engine.place();
    childrenStoreIn(place);
    booted = await start();
  }, 60_000);
  afterAll(async () => {
    await booted.app.close();
  });

  it('run in a child process of low priority that knows what it is', async () => {
    const where = await run('isolated.where');
    expect(where).toEqual({ pid: expect.any(Number), parent: process.pid, priority: 10, variable: '1' });
    expect((where as { pid: number }).pid).not.toBe(process.pid);
  });

  it('may send messages of their own to the parent process, as code for a process manager does', async () => {
    const handle = await booted.queue.of('isolated.chatters').enqueue();
    expect(await handle.result({ timeout: '25s' })).toBe('goes on');
    expect(await run('isolated.price', 'apple')).toBe(5);
  });

  it('have injected providers, guards, pipes and interceptors', async () => {
    expect(await run('isolated.price', 'apple')).toBe(5);
    expect(await run('isolated.enhanced', 4)).toEqual({ value: 9 });
    const refused = await booted.queue
      .of('isolated.enhanced')
      .with({ headers: { user: 'nobody' } })
      .enqueue(1);
    await expect(refused.result({ timeout: '20s' })).rejects.toMatchObject({
      cause: { name: 'ForbiddenException' },
    });
  });

  it('have their context: id, headers, progress, log', async () => {
    const handle = await booted.queue
      .of('isolated.context')
      .with({ headers: { user: 'u1' }, retries: 2 })
      .enqueue();
    expect(await handle.result({ timeout: '20s' })).toEqual({
      ...{ id: handle.id, name: 'isolated.context', queue: 'isolated', attempt: 1, maxAttempts: 3 },
      ...{ headers: { user: 'u1' }, hasDate: true, deadline: false },
    });
    expect((await handle.status()).progress).toEqual({ current: 1, total: 2, message: 'half' });
    const lines = await booted.app.get(TaskAdmin).logs(handle.id);
    expect(lines.map(({ level, text }) => [level, text])).toEqual([
      ['warn', 'a line'],
      ['log', 'another line'],
    ]);
  });

  it('enqueue tasks and wait for them through their parent, and get its errors', async () => {
    expect(await run('isolated.enqueues', 2, 3)).toMatchObject({ sum: 5, pid: process.pid, state: 'succeeded' });
    expect(await run('isolated.conflict', `key-${engine.name}`)).toBe('IdempotencyConflictError');
  });

  it('fail, are retried, are put off and become other tasks as any task', async () => {
    await expect(run('isolated.fails', 'no')).rejects.toMatchObject({ cause: { name: 'TypeError', message: 'no' } });
    expect(await run('isolated.retried')).toBe(3);
    await expect(run('isolated.final')).rejects.toMatchObject({ cause: { message: 'The card was declined.' } });
    expect(await run('isolated.later')).toEqual(expect.any(Number));
    expect(await run('isolated.replaced', 6)).toEqual({ sum: 7, pid: process.pid });
    expect(logger.lines).toContainEqual(expect.stringMatching(/^ERROR Task isolated\.fails \(.*\) failed: no$/));
  });

  it('are members of workflows', async () => {
    const { double } = booted.queue.of(IsolatedTasks);
    const both = await booted.queue.enqueue(chain(double.signature(2), double.signature()));
    expect(await both.result({ timeout: '20s' })).toBe(8);
    const each = await booted.queue.enqueue(group([double.signature(2), double.signature(5)]));
    expect(await each.result({ timeout: '20s' })).toEqual([4, 10]);
  });

  it('run each item of a map by itself, also one that is retried or becomes another task', async () => {
    const { double, retried, replaced } = booted.queue.of(IsolatedTasks);
    const doubled = await booted.queue.enqueue(double.map([2, 5, 1]));
    expect(await doubled.result({ timeout: '25s' })).toEqual([4, 10, 2]);
    const again = await booted.queue.enqueue(retried.starmap([[], []]));
    expect(await again.result({ timeout: '25s' })).toEqual([3, 3]);
    const others = await booted.queue.enqueue(replaced.chunks([[6], [7]], 2));
    expect(await others.result({ timeout: '25s' })).toEqual([
      [
        { sum: 7, pid: process.pid },
        { sum: 8, pid: process.pid },
      ],
    ]);
  }, 60_000);

  it('end by their timeout also while they compute, and by a cancel', async () => {
    await expect(run('isolated.computes', 60_000)).rejects.toMatchObject({ cause: { code: 'TASK_TIMEOUT' } });
    await expect(run('isolated.listens')).rejects.toMatchObject({ cause: { code: 'TASK_TIMEOUT' } });
    const handle = await booted.queue.of('isolated.blocks').enqueue(60_000);
    await until(async () => (await handle.status()).state === 'running');
    await handle.cancel('no longer needed');
    await expect(handle.result({ timeout: '20s' })).rejects.toThrow(TaskCancelledError);
    expect(await run('isolated.price', 'pear')).toBe(4);
  }, 60_000);

  it('run again after a cancel, also when their process has to be killed first', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'isolated-'));
    const file = join(folder, 'runs');
    const handle = await booted.queue.of('isolated.blocks-once').enqueue(file);
    await until(() => existsSync(file));
    await handle.cancel();
    await handle.retry();
    expect(await handle.result({ timeout: '25s' })).toBe('ran again');
    rmSync(folder, { recursive: true });
  }, 60_000);

  it('keep no other task of their queue waiting', async () => {
    const blocked = await Promise.all(Array.from({ length: 4 }, () => booted.queue.of('mixed.blocks').enqueue(1_500)));
    await until(async () => (await blocked[0]?.status())?.state === 'running');
    const quick = await booted.queue.of('mixed.quick').enqueue();
    expect(await quick.result({ timeout: '10s' })).toBe(process.pid);
    expect((await blocked.at(-1)?.status())?.state).not.toBe('succeeded');
    const pids = await Promise.all(blocked.map((handle) => handle.result({ timeout: '25s' })));
    expect(pids).not.toContain(process.pid);
  }, 60_000);

  it('wait for each other while a child is free, and fail at once when their waits keep all of them', async () => {
    expect(await run('isolated.nests', 1)).toEqual(expect.any(Number));
    for (const [task, ...args] of [['isolated.nests', 2], ['isolated.waits-later']] as const)
      await expect(run(task, ...args)).rejects.toThrow('keep all 2 places of the queue "isolated"');
    expect(await run('isolated.price', 'fig')).toBe(3);
  });

  it('have the results of workflows while a child is free, and fail at once when nothing can run their members', async () => {
    expect(await run('isolated.gathers', 0)).toEqual([2, 4]);
    const error = await run('isolated.gathers', 1).catch((thrown: unknown) => thrown);
    expect((error as Error).message).toMatch(/waits for task .*, which can never start/);
    await expect(run('isolated.waits-for-itself')).rejects.toMatchObject({ cause: { code: 'SELF_WAIT' } });
    expect(await run('isolated.price', 'fig')).toBe(3);
  }, 60_000);

  it('fail for good when their child dies twice', async () => {
    const error = await run('isolated.exits-once').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TaskFailedError);
    expect((error as TaskFailedError).cause).toMatchObject({
      code: 'WORKER_LOST',
      message: expect.stringContaining('exit code 3'),
    });
  });
});
