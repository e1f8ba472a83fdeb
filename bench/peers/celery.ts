import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { findProgram } from '../../test/support/programs.js';
import type { Place, StartContender } from '../harness/contender.js';

const folder = fileURLToPath(new URL('.', import.meta.url));
/** Debian's Python, for which Debian's Celery is installed. */
const PYTHON = '/usr/bin/python3';
/** The number of the worker's processes: one for each core. */
const PROCESSES = 2;
/** A Redis database that only Celery uses, because Celery has no prefix for its keys. */
const DATABASE = 7;

/** Celery on Redis, with a result backend. */
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

  /**
   * Stores tasks one after the other, because a Python process can do no more.
   *
   * @returns tasks a second
   */
  async enqueue(count: number): Promise<number> {
    this.producer.stdin!.write(`${count}\n`);
    const { value } = await this.answers.next();
    return count / Number(value);
  }

  /**
   * Starts a worker, waits until it has run the stored tasks, and stops it.
   *
   * @returns tasks a second, from the end of the first task to the end of the last
   */
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

  /** The time at which each task ended, from its result. */
  private async ends(count: number, worker: ChildProcess): Promise<number[]> {
    for (;;) {
      // Polled seldom, so that the polls do not slow Celery down.
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

/** One caller calls `send.delay(…)` many times. */
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

/** Celery's own worker uses both cores and stores the results, as this package does. */
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
