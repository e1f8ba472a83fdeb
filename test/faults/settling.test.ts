import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getQueueToken } from '@nestjs/bullmq';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Queue } from 'bullmq';
import { chain, type Duration, type TaskHandle, type TaskQueueOptions, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { freePrefix, startPostgres, startRedis, type Server } from '../support/servers.js';
import { until } from '../support/until.js';
import { runsIn, SettlingWork } from './support/settling-work.js';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** One way in which a task can end. */
interface End {
  readonly what: string;
  readonly enqueue: (work: Tasks<SettlingWork>, journal: string) => Promise<TaskHandle>;
  /** The commands before which a worker is killed. Default: each, one after the other, until it sends fewer. */
  readonly kills?: readonly [number, number];
  /** Default: a second. */
  readonly abandonedAfter?: Duration;
  /** What a caller does while the worker runs the task. Default: nothing. */
  readonly meanwhile?: (handle: TaskHandle) => Promise<unknown>;
  /** More than the commands that store this end, so the worker survives before the last of them. */
  readonly commands: number;
  /** How often the method may run: once more than without a kill, because the task is delivered at least once. */
  readonly mostRuns: number;
  readonly tasks: number;
  /** What `result()` gives: a value, or the message of an error. */
  readonly result: RegExp;
}

const ENDS: readonly End[] = [
  {
    what: 'a success',
    enqueue: (work, journal) => work.succeed.enqueue(journal),
    commands: 4,
    mostRuns: 2,
    tasks: 1,
    result: /^done$/,
  },
  {
    what: 'a success, delivered at most once',
    enqueue: (work, journal) => work.once.enqueue(journal),
    commands: 4,
    mostRuns: 1,
    tasks: 1,
    result: /^done$|died or lost/,
  },
  {
    what: 'a failure',
    enqueue: (work, journal) => work.fail.enqueue(journal),
    commands: 4,
    mostRuns: 2,
    tasks: 1,
    result: /declined/,
  },
  {
    what: 'a retry',
    enqueue: (work, journal) => work.retry.enqueue(journal),
    commands: 6,
    mostRuns: 3,
    tasks: 1,
    result: /^done$/,
  },
  {
    what: 'a postponement',
    enqueue: (work, journal) => work.postpone.enqueue(journal),
    commands: 6,
    mostRuns: 3,
    tasks: 1,
    result: /^done$/,
  },
  {
    what: 'members to wait for',
    enqueue: (work, journal) => work.become.enqueue(journal),
    commands: 20,
    mostRuns: 2,
    tasks: 3,
    result: /^done$/,
  },
  {
    what: 'a cancelled run that a caller has asked to follow by another one',
    enqueue: (work, journal) => work.deaf.enqueue(journal),
    meanwhile: async (handle) => {
      await until(async () => (await handle.status()).state === 'running');
      await handle.cancel();
      await handle.retry();
    },
    // After it has stored the end, and while it runs the task again: each kill takes long, because the worker blocks its process first.
    kills: [2, 4],
    abandonedAfter: '8s',
    commands: 4,
    mostRuns: 3,
    tasks: 1,
    result: /^done$/,
  },
  {
    what: 'the success of a step of a chain',
    enqueue: (work, journal) => chain(work.succeed.signature(journal), work.part.signature()).enqueue(),
    commands: 4,
    mostRuns: 2,
    tasks: 2,
    result: /^done$/,
  },
];

/** Milliseconds. The worker of each command is a process, and counts as dead after a second. */
const PATIENCE = 180_000;

describe.each([
  ['Redis', startRedis],
  ['PostgreSQL', startPostgres],
] as const)('a worker on %s that is killed while it stores', (_, startServer) => {
  let server: Server;
  const folder = mkdtempSync(join(tmpdir(), 'settling-'));

  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(ENDS)('$what leaves the task to another worker, which ends it once', endsOnce, PATIENCE);

  async function endsOnce(end: End): Promise<void> {
    if (end.kills) {
      const isKilled = await Promise.all(end.kills.map((n) => endAfterKill(end, n)));
      expect(isKilled).toEqual([true, true]);
      return;
    }
    const killed: boolean[] = [];
    // Two at a time: each starts a process.
    for (let before = 1; before <= end.commands; before += 2) {
      const pair = [before, before + 1].filter((n) => n <= end.commands);
      killed.push(...(await Promise.all(pair.map((n) => endAfterKill(end, n)))));
      if (killed.includes(false)) break;
    }
    // The first command was reached, and all commands were.
    expect(killed[0]).toBe(true);
    expect(killed.at(-1)).toBe(false);
  }

  /** @returns whether the worker was killed: it was not if it sent fewer commands */
  async function endAfterKill(end: End, killBefore: number): Promise<boolean> {
    const prefix = freePrefix();
    const options: TaskQueueOptions = { connection: server.url, prefix, abandonedAfter: end.abandonedAfter ?? '1s' };
    const journal = join(folder, prefix);
    const producer = await boot({ ...options, role: 'producer' }, [SettlingWork]);
    let other: Booted | undefined;
    try {
      const handle = await end.enqueue(producer.queue.of(SettlingWork), journal);
      const isKilled = await runWorker(options, killBefore, { handle, meanwhile: end.meanwhile });
      other = await boot(options, [SettlingWork]);
      const result = await handle.result({ timeout: '20s' }).catch((error: Error) => error.message);
      expect(result).toMatch(end.result);
      await expectOneEnd(other, end.tasks);
      expect(runsIn(journal)).toBeGreaterThan(0);
      expect(runsIn(journal)).toBeLessThanOrEqual(end.mostRuns);
      return isKilled;
    } finally {
      await producer.app.close();
      await other?.app.close();
    }
  }

  /** Resolves once the worker was killed or has ended the task. */
  async function runWorker(
    options: TaskQueueOptions,
    killBefore: number,
    { handle, meanwhile }: { readonly handle: TaskHandle } & Pick<End, 'meanwhile'>,
  ): Promise<boolean> {
    const child = fork(path('support/settling-program.ts'), [], {
      execArgv: ['--import', path('../support/typescript-loader.js')],
      env: { ...process.env, NODE_ENV: 'production', OPTIONS: JSON.stringify(options), KILL_BEFORE: `${killBefore}` },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const exited = once(child, 'exit').then(() => true);
    await meanwhile?.(handle);
    const ended = handle.result({ timeout: '30s' }).then(
      () => false,
      () => false,
    );
    const isKilled = await Promise.race([exited, ended]);
    child.kill('SIGKILL');
    await exited;
    return isKilled;
  }

  async function expectOneEnd({ app }: Booted, tasks: number): Promise<void> {
    const queue = app.get<Queue>(getQueueToken('default'));
    const counts = async () => {
      const { completed = 0, failed = 0, ...open } = await queue.getJobCounts();
      return { ended: completed + failed, open: Object.values(open).reduce((sum, count) => sum + count, 0) };
    };
    await until(async () => (await counts()).open === 0, 'no task is open');
    expect(await counts()).toEqual({ ended: tasks, open: 0 });
  }
});
