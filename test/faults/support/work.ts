import { Injectable } from '@nestjs/common';
import { Task, TaskContext } from 'nestjs-task-queue';
import { record } from './journal.js';

/** The tasks of the scenarios. They write their start and their end into the journal. */
@Injectable()
export class Work {
  constructor(private readonly task: TaskContext) {}

  /** Ends as soon as its signal is aborted, as a task should. */
  @Task()
  async slow(milliseconds: number): Promise<string> {
    this.start();
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(resolve, milliseconds);
      this.task.signal.addEventListener('abort', () => {
        clearTimeout(timer);
        record('aborted', this.task.id, (this.task.signal.reason as Error).name);
        reject(this.task.signal.reason as Error);
      });
    });
    return this.end();
  }

  /** Goes on when its signal is aborted. */
  @Task()
  async ignoreAbort(milliseconds: number): Promise<string> {
    this.start();
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    return this.end();
  }

  @Task({ delivery: 'at-most-once' })
  async once(milliseconds: number): Promise<string> {
    return this.slow(milliseconds);
  }

  /** All calls, from every process, get the same task. */
  @Task({ unique: { while: 'running', key: () => 'single' } })
  async single(milliseconds: number): Promise<string> {
    return this.slow(milliseconds);
  }

  /** Fails in its first attempts. */
  @Task({ retries: 3, backoff: { type: 'fixed', delay: 1, jitter: 0 } })
  async flaky(failures: number): Promise<string> {
    this.start();
    if (this.task.attempt <= failures) throw new Error('Not yet.');
    return this.end();
  }

  /** All calls with one key get the same task. */
  @Task({ unique: { while: 'running', key: (key: string) => key } })
  async keyed(key: string): Promise<string> {
    return this.slow(key.length);
  }

  /** Kills its process. */
  @Task()
  async poison(): Promise<void> {
    this.start();
    process.kill(process.pid, 'SIGKILL');
    await new Promise(() => undefined);
  }

  /** Blocks the event loop. */
  @Task()
  async block(milliseconds: number): Promise<string> {
    this.start();
    const end = performance.now() + milliseconds;
    while (performance.now() < end);
    return this.end();
  }

  /** Reports its progress after each step. */
  @Task()
  async steps(count: number, pause: number): Promise<string> {
    this.start();
    for (let step = 1; step <= count; step++) {
      await this.task.progress(step, count);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
    return this.end();
  }

  /** Reports progress of many bytes, again and again. */
  @Task()
  async chatty(count: number, bytes: number, pause: number): Promise<string> {
    this.start();
    for (let step = 1; step <= count; step++) {
      await this.task.progress({ step, text: 'x'.repeat(bytes) });
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
    return this.end();
  }

  private start(): void {
    record('started', this.task.id, this.task.attempt);
  }

  private end(): string {
    record('finished', this.task.id);
    return this.task.id;
  }
}
