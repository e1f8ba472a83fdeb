import { Injectable } from '@nestjs/common';
import { Task, TaskContext } from '../../../lib/index.js';
import { note } from './journal.js';

/** The tasks of the scenarios. */
@Injectable()
export class Work {
  constructor(private readonly task: TaskContext) {}

  /** Ends early when it is aborted, as a well-behaved task does. */
  @Task()
  async slow(milliseconds: number): Promise<string> {
    this.start();
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(resolve, milliseconds);
      this.task.signal.addEventListener('abort', () => {
        clearTimeout(timer);
        note('aborted', this.task.id, (this.task.signal.reason as Error).name);
        reject(this.task.signal.reason as Error);
      });
    });
    return this.end();
  }

  /** Goes on whatever its signal says. */
  @Task()
  async deaf(milliseconds: number): Promise<string> {
    this.start();
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    return this.end();
  }

  @Task({ delivery: 'at-most-once' })
  async once(milliseconds: number): Promise<string> {
    return this.slow(milliseconds);
  }

  /** There is only one of it, whoever enqueues it. */
  @Task({ unique: { while: 'running', key: () => 'single' } })
  async single(milliseconds: number): Promise<string> {
    return this.slow(milliseconds);
  }

  /** Takes its process along. */
  @Task()
  async poison(): Promise<void> {
    this.start();
    process.kill(process.pid, 'SIGKILL');
    await new Promise(() => undefined);
  }

  /** Lets nothing else run meanwhile. */
  @Task()
  async block(milliseconds: number): Promise<string> {
    this.start();
    const end = performance.now() + milliseconds;
    while (performance.now() < end);
    return this.end();
  }

  /** Reports as it goes. */
  @Task()
  async steps(count: number, pause: number): Promise<string> {
    this.start();
    for (let step = 1; step <= count; step++) {
      await this.task.progress(step, count);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
    return this.end();
  }

  private start(): void {
    note('started', this.task.id, this.task.attempt);
  }

  private end(): string {
    note('finished', this.task.id);
    return this.task.id;
  }
}
