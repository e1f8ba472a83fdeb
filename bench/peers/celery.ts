import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { findProgram } from '../../test/support/programs.js';
import type { Place, StartContender } from '../harness/contender.js';

const folder = fileURLToPath(new URL('.', import.meta.url));
/** Debian's, to which its Celery belongs. */
const PYTHON = '/usr/bin/python3';
/** Processes of the worker: one for each core. */
const PROCESSES = 2;
/** A database of its own: Celery has no prefix for what it stores. */
const DATABASE = 7;

/** Celery on a Redis, with a result backend. */
class CeleryPeer {
  private readonly url: string;
  private readonly redis: Redis;
  private readonly producer: ChildProcess;
  private readonly answers: AsyncIterator<string>;

  constructor({ connection }: Place) {
    findProgram('celery');
    this.url = `${connection}/${DATABASE}`;
    this.redis = new Redis(this.url);
    this.producer = this.spawn(['celery_peer.py']);
    this.answers = createInterface(this.producer.stdout!)[Symbol.asyncIterator]();
  }

  /** Stores tasks, one after the other, for that is all a Python process can do. @returns tasks a second */
  async enqueue(count: number): Promise<number> {
    this.producer.stdin!.write(`${count}\n`);
    const { value } = await this.answers.next();
    return count / Number(value);
  }

  /** Starts a worker, lets it run what is stored, and stops it. @returns tasks a second, from the first end to the last */
  async run(count: number): Promise<number> {
    const worker = this.spawn([
      ...['-m', 'celery', '-A', 'celery_peer', 'worker', '--pool', 'prefork', '-c', `${PROCESSES}`],
      ...['--loglevel', 'ERROR', '--without-gossip', '--without-mingle', '--without-heartbeat'],
    ]);
    const ended = once(worker, 'exit');
    const ends = await this.ends(count, worker);
    worker.kill('SIGTERM');
    await ended;
    return count / ((Math.max(...ends) - Math.min(...ends)) / 1000);
  }

  async empty(): Promise<void> {
    await this.redis.flushdb();
  }

  async close(): Promise<void> {
    await this.empty();
    this.redis.disconnect();
    const ended = once(this.producer, 'exit');
    this.producer.stdin!.end();
    await ended;
  }

  /** When each task ended, as its result says. */
  private async ends(count: number, worker: ChildProcess): Promise<number[]> {
    for (;;) {
      // Seldom, so that it costs nothing.
      await pause(250);
      if (worker.exitCode !== null) throw new Error(`Celery's worker ended with ${worker.exitCode}.`);
      if ((await this.redis.dbsize()) < count) continue;
      const keys = await this.redis.keys('celery-task-meta-*');
      if (keys.length < count) continue;
      const results = await this.redis.mget(keys);
      return results.map((text) => Date.parse(`${(JSON.parse(text!) as { date_done: string }).date_done}Z`));
    }
  }

  private spawn(args: string[]): ChildProcess {
    return spawn(PYTHON, args, {
      cwd: folder,
      env: {
        ...process.env,
        CELERY_REDIS: this.url,
        C_FORCE_ROOT: '1',
        PYTHONDONTWRITEBYTECODE: '1',
        PYTHONWARNINGS: 'ignore',
      },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
  }
}

/** `send.delay(…)`, again and again. */
export function enqueueWithCelery(total: number): StartContender {
  return async (place) => {
    const celery = new CeleryPeer(place);
    return {
      async round() {
        const rate = await celery.enqueue(total);
        await celery.empty();
        return { 'tasks/s': rate };
      },
      close: () => celery.close(),
    };
  };
}

/** Celery's own worker on both cores, with the results stored, as ours does. */
export function runWithCelery(total: number): StartContender {
  return async (place) => {
    const celery = new CeleryPeer(place);
    return {
      async round() {
        await celery.enqueue(total);
        const rate = await celery.run(total);
        await celery.empty();
        return { 'tasks/s': rate };
      },
      close: () => celery.close(),
    };
  };
}
