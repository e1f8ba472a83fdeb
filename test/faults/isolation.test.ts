import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';
import { TaskFailedError, type TaskHandle } from 'nestjs-task-queue';
import { boot } from '../support/boot.js';
import { freePrefix, startRedis } from '../support/servers.js';
import { until } from '../support/until.js';
import { isAlive, WorkerCommand } from '../support/worker-command.js';
import { seededRandom } from './support/seeded-random.js';

/** Isolated tasks whose children, and whose parent, are killed again and again. */

const app = fileURLToPath(new URL('../support/isolated-application.ts', import.meta.url));
const TASKS = 120;
const KILLS = 12;
/** Milliseconds for which rounds of kills begin. `KILLING_SECONDS=120` makes it two minutes; without it there is one round. */
const KILLING = Number(process.env['KILLING_SECONDS'] ?? 0) * 1_000;

it(
  'no task is lost, and none finishes twice but for a killed process',
  async () => {
    const random = seededRandom(20_260);
    const folder = mkdtempSync(join(tmpdir(), 'isolation-'));
    const journal = join(folder, 'journal');
    writeFileSync(journal, '');
    const lines = (event: string) =>
      readFileSync(journal, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith(`${event} `))
        .map((line) => line.split(' '))
        .map(([, pid, id = '']) => ({ pid: Number(pid), id }));
    const server = await startRedis();
    const connection = server.url;
    const prefix = freePrefix();
    const web = await boot({ connection, prefix, role: 'producer' });
    const command = new WorkerCommand([app], { TASK_QUEUE_URL: connection, TASK_QUEUE_PREFIX: prefix }, journal);
    try {
      await command.isReady(1);
      const work = web.queue.of('isolated.work').with({ queue: 'isolated' });
      const handles: TaskHandle[] = [];
      const killed: number[] = [];
      const enqueueRound = async () => {
        const calls = Array.from({ length: TASKS }, (): [number] => [20 + Math.floor(random() * 60)]);
        handles.push(...(await work.enqueueMany(calls)));
      };
      const killingEnds = performance.now() + KILLING;
      for (let kill = 0; kill < KILLS || performance.now() < killingEnds; kill++) {
        // There is always something to run, also when some tasks have failed.
        if (kill === 0 || (kill >= KILLS && lines('finished').length > handles.length - TASKS / 2))
          await enqueueRound();
        const alive = () => [...new Set(lines('began').map(({ pid }) => pid))].filter(isAlive);
        // Not always in a moment in which a child runs: a new parent boots first.
        await until(() => alive().length > 0 || lines('finished').length >= handles.length, 'a child runs', 60_000);
        await sleep(random() * 300);
        const [child] = alive();
        // Each fourth time the parent, whose children end with it.
        const pid = kill % 4 === 3 ? command.ready.findLast(isAlive) : child;
        if (pid !== undefined && isAlive(pid)) {
          process.kill(pid, 'SIGKILL');
          killed.push(pid);
        }
      }
      const ends = await Promise.allSettled(handles.map((handle) => handle.result({ timeout: '90s' })));
      const failures = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
      // A task whose processes died twice fails, and says so. Nothing else may.
      for (const failure of failures) {
        expect(failure).toBeInstanceOf(TaskFailedError);
        expect((failure as TaskFailedError).cause).toMatchObject({ code: 'WORKER_LOST' });
      }
      const finished = lines('finished').map(({ id }) => id);
      const succeeded = handles.filter((_, index) => ends[index]?.status === 'fulfilled').map(({ id }) => id);
      expect(succeeded.filter((id) => !finished.includes(id))).toEqual([]);
      const twice = finished.length - new Set(finished).size;
      // A kill between the end of a method and the end of its task makes it run again: at most each running task of a killed process.
      expect(twice).toBeLessThanOrEqual(killed.length * 2);
      expect(failures.length).toBeLessThanOrEqual(killed.length);
      command.signal('SIGTERM');
      await command.exited;
      const children = [...new Set(lines('began').map(({ pid }) => pid))];
      await until(() => !children.some(isAlive), 'all children have ended');
      console.log(
        `isolation: ${killed.length} kills, ${failures.length} tasks failed by two of them, ${twice} finished twice, 0 of ${handles.length} lost.`,
      );
    } finally {
      await command.close();
      await web.app.close();
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    }
  },
  240_000 + 2 * KILLING,
);
