import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { TaskHandle } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { freePrefix, startPostgres, startRedis } from '../support/servers.js';
import { isAlive, WorkerCommand } from '../support/worker-command.js';
import { until } from '../support/until.js';
import { seededRandom } from './support/seeded-random.js';

/** Milliseconds for a test. Alone one takes a third of it. */
const TIME_LIMIT = 180_000;

/** Milliseconds for which processes are killed at random. `KILLING_SECONDS=120` makes it two minutes on both engines. */
const SECONDS = process.env['KILLING_SECONDS'];
const KILLING =
  SECONDS === undefined ? { redis: 30_000, postgres: 10_000 } : { redis: +SECONDS * 1_000, postgres: +SECONDS * 1_000 };

describe.each(['redis', 'postgres'] as const)('the command worker on %s', (engine) => {
  let server: Awaited<ReturnType<typeof startRedis>>;
  let folder: string;
  let web: Booted;
  let env: Record<string, string>;
  let handles: TaskHandle[];
  const commands: WorkerCommand[] = [];

  beforeEach(async () => {
    server = await (engine === 'redis' ? startRedis() : startPostgres());
    folder = mkdtempSync(join(tmpdir(), 'worker-command-'));
    writeFileSync(join(folder, 'journal'), '');
    const prefix = freePrefix();
    env = { TASK_QUEUE_URL: server.url, TASK_QUEUE_PREFIX: prefix };
    web = await boot({ connection: server.url, prefix, role: 'producer' });
    handles = [];
  }, TIME_LIMIT);
  afterEach(async () => {
    await Promise.all(commands.splice(0).map((command) => command.close()));
    await web.app.close();
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }, TIME_LIMIT);

  function start(...options: string[]): WorkerCommand {
    const command = new WorkerCommand(options, env, join(folder, 'journal'));
    commands.push(command);
    return command;
  }

  async function enqueue(count: number, milliseconds: number): Promise<void> {
    const slow = web.queue.of('Work.slow');
    handles.push(...(await slow.enqueueMany(Array.from({ length: count }, () => [milliseconds] as const))));
  }

  /** Waits until every task is final, and counts. A task that was in two processes when they were killed has failed. */
  async function countEnds(command: WorkerCommand) {
    const finals = await Promise.all(
      handles.map((handle) => handle.result({ timeout: '60s' }).then(String, (error: Error) => error.message)),
    );
    const ends = command.recorded('finished');
    const finished = new Set(ends.map(({ id }) => id));
    const failed = handles.filter((_, index) =>
      /died or lost its connection, more than once/.test(finals[index] ?? ''),
    );
    const failedIds = new Set(failed.map(({ id }) => id));
    return {
      lost: handles.filter(({ id }) => !finished.has(id) && !failedIds.has(id)).map(({ id }) => id),
      failed: failedIds.size,
      /** The first end of each task that finished more than once. */
      repeated: ends
        .filter(({ id }, index) => ends.findIndex((end) => end.id === id) < index)
        .map(({ id }) => ends.find((end) => end.id === id)),
    };
  }

  test(
    'recycling, SIGHUP and SIGTERM under load lose no task, and none finishes twice',
    async () => {
      const command = start('--processes', '2', '--concurrency', '5', '--max-tasks', '40');
      await command.isReady(2);
      for (let round = 0; round < 3; round++) await enqueue(100, 100);
      await until(() => command.recorded('finished').length >= 60, 'tasks run', 60_000);
      command.signal('SIGHUP');
      await command.says('All processes are new.');
      await until(() => command.recorded('finished').length >= 200, 'most tasks have run', 60_000);
      command.signal('SIGTERM');
      expect(await command.exited).toBe(0);
      const successor = start('--processes', '2');
      expect(await countEnds(successor)).toEqual({ lost: [], failed: 0, repeated: [] });
      const runs = command.recorded('finished').filter(({ pid }) => command.ready.includes(pid));
      for (const pid of command.ready) expect(runs.filter((run) => run.pid === pid).length).toBeLessThanOrEqual(45);
    },
    TIME_LIMIT,
  );

  test.each(['two SIGTERMs', 'SIGKILL of the supervisor'])(
    'after %s under load every task runs elsewhere',
    async (fault) => {
      const command = start('--processes', '2', '--concurrency', '5');
      await command.isReady(2);
      await enqueue(60, 400);
      await until(() => command.recorded('finished').length >= 20, 'tasks run', 60_000);
      if (fault === 'two SIGTERMs') {
        command.signal('SIGTERM');
        await command.says('SIGTERM: takes no more tasks');
        command.signal('SIGTERM');
        expect(await command.exited).toBe(143);
      } else {
        command.signal('SIGKILL');
      }
      await until(() => command.ready.every((pid) => !isAlive(pid)), 'no process is left', 30_000);
      const successor = start('--processes', '2', '--concurrency', '5');
      const { lost, failed, repeated } = await countEnds(successor);
      expect({ lost, failed }).toEqual({ lost: [], failed: 0 });
      // A task that ended just before its process did, and whose end was not stored, runs again: at least once.
      for (const end of repeated) expect(command.ready).toContain(end?.pid);
      expect(repeated.length).toBeLessThanOrEqual(10);
    },
    TIME_LIMIT,
  );

  test(
    'processes and commands that are killed at random under load lose no task, and one finishes twice only if its process was killed then',
    async () => {
      const random = seededRandom(20_261_127);
      let command = start('--processes', '3', '--concurrency', '5');
      await command.isReady(3);
      const killed = new Set<number>();
      let commandsKilled = 0;
      const killingEnds = performance.now() + KILLING[engine];
      for (let round = 0; performance.now() < killingEnds || killed.size < 4 || commandsKilled === 0; round++) {
        await enqueue(10, 150 + Math.round(random() * 200));
        await sleep(200 + random() * 800);
        const alive = command.ready.filter(isAlive);
        if (round % 8 === 5) {
          // Its processes notice, give their tasks back and end, or are killed after a while.
          command.signal('SIGKILL');
          for (const pid of command.ready) killed.add(pid);
          commandsKilled += 1;
          command = start('--processes', '3', '--concurrency', '5');
          await command.isReady(3);
          continue;
        }
        const victim = alive[Math.floor(random() * alive.length)];
        if (victim === undefined) continue;
        process.kill(victim, 'SIGKILL');
        killed.add(victim);
      }
      const { lost, failed, repeated } = await countEnds(command);
      expect(lost).toEqual([]);
      for (const end of repeated) expect(killed).toContain(end?.pid);
      // So many tasks can be in two processes when these are killed; many more would mean that healthy ones are given up.
      expect(failed).toBeLessThanOrEqual(handles.length / 4);
      command.signal('SIGTERM');
      expect(await command.exited).toBe(0);
      console.info(
        `${engine}: ${handles.length} tasks, ${killed.size} processes and ${commandsKilled} commands killed, ` +
          `${lost.length} lost, ${repeated.length} finished twice, ${failed} failed because their process was killed twice.`,
      );
    },
    TIME_LIMIT + KILLING[engine],
  );
});
