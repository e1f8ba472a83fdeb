import { Injectable } from '@nestjs/common';
import { group, InjectTasks, Task, TaskContext, type Tasks } from 'nestjs-task-queue';
import { z } from 'zod';
import { Gate } from './gate.js';

/** The tasks of the hand-written workflows, for test/contract/workflows.test.ts. */
@Injectable()
export class Maths {
  /** The calls so far, in order. */
  readonly calls: string[] = [];
  /** Whether `fail` succeeds. */
  healed = false;
  readonly links: unknown[] = [];
  linked = new Gate();
  gate = new Gate();

  constructor(
    private readonly task: TaskContext,
    @InjectTasks(Maths) private readonly own: Tasks<Maths>,
  ) {}

  @Task()
  async add(a: number, b: number): Promise<number> {
    this.calls.push(`add(${a}, ${b})`);
    return a + b;
  }

  @Task()
  double(value: number): number {
    this.calls.push(`double(${value})`);
    return value * 2;
  }

  @Task()
  sum(values: number[]): number {
    this.calls.push(`sum(${JSON.stringify(values)})`);
    return values.reduce((sum, value) => sum + value, 0);
  }

  @Task()
  range(length: number): number[] {
    return Array.from({ length }, (_, index) => index);
  }

  @Task({ retries: 1, backoff: { type: 'fixed', delay: 10, jitter: 0 } })
  async flaky(value: number): Promise<number> {
    if (this.task.attempt === 1) throw new Error('once');
    return value;
  }

  @Task()
  async fail(message: string): Promise<number> {
    this.calls.push(`fail(${message})`);
    if (this.healed) return 100;
    throw Object.assign(new Error(message), { code: 'E_FAIL' });
  }

  @Task()
  async held(value: number): Promise<number> {
    this.calls.push(`held(${value})`);
    const { signal } = this.task;
    await Promise.race([
      this.gate.opened,
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    ]);
    return value;
  }

  @Task({ schema: z.tuple([z.number().min(0), z.number()]) })
  percent(of: number, percent: number): number {
    return (of * percent) / 100;
  }

  /** A second equal call gets the same task until that ends. */
  @Task({ unique: { while: 'running' } })
  async only(value: number): Promise<number> {
    return this.held(value);
  }

  @Task()
  link(value: unknown): void {
    this.links.push(value);
    this.linked.open();
  }

  @Task()
  headers(): Record<string, string> {
    return { ...this.task.headers };
  }

  /** Replaces itself by a group of `numbers` additions. */
  @Task()
  async fan(numbers: number): Promise<number[]> {
    this.calls.push(`fan(${numbers})`);
    return this.task.replaceWith(
      group(Array.from({ length: numbers }, (_, index) => this.own.add.signature(index, index))),
    );
  }

  @Task()
  async becomeFailure(): Promise<number> {
    return this.task.replaceWith(this.own.fail.signature('replaced'));
  }
}
