import { Injectable } from '@nestjs/common';
import { InjectTasks, Task, TaskContext, type TaskError, type Tasks } from 'nestjs-task-queue';
import { Gate } from './gate.js';

/** The tasks of the examples in Celery's canvas guide, for test/contract/canvas-guide.test.ts. */
@Injectable()
export class GuideTasks {
  /** The effects of the tasks that return nothing, in order. */
  readonly log: unknown[] = [];
  gate = new Gate();

  constructor(
    private readonly task: TaskContext,
    @InjectTasks(GuideTasks) private readonly own: Tasks<GuideTasks>,
  ) {}

  @Task()
  async add(a: number, b: number): Promise<number> {
    return a + b;
  }

  @Task()
  async mul(a: number, b: number): Promise<number> {
    return a * b;
  }

  @Task()
  async xsum(numbers: number[]): Promise<number> {
    return numbers.reduce((sum, each) => sum + each, 0);
  }

  @Task()
  async raising(message: string): Promise<number> {
    throw new RangeError(message);
  }

  /** Waits until the gate is open. */
  @Task()
  async wait(value: number): Promise<number> {
    const { signal } = this.task;
    await Promise.race([
      this.gate.opened,
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    ]);
    return value;
  }

  @Task()
  async resetBuffers(): Promise<void> {
    this.log.push('buffers reset');
  }

  @Task()
  async logResult(result: unknown): Promise<void> {
    this.log.push(result);
  }

  @Task()
  async logError({ task, name, message }: TaskError): Promise<void> {
    this.log.push(`${task}: ${name}: ${message}`);
  }

  @Task()
  async createUser(user: { username: string; email: string }): Promise<{ id: number; email: string }> {
    return { id: 1, email: user.email };
  }

  @Task()
  async importContacts(user: { id: number }): Promise<string> {
    return `contacts of user ${user.id}`;
  }

  @Task()
  async sendWelcomeEmail(user: { email: string }): Promise<string> {
    return `welcome to ${user.email}`;
  }

  @Task()
  async importContact(contact: string): Promise<string> {
    return contact;
  }

  @Task()
  async notifyComplete(importId: number): Promise<string> {
    return `import ${importId} is complete`;
  }

  @Task()
  async stamps(): Promise<Record<string, string>> {
    return { ...this.task.headers };
  }

  /** Replaces itself by a task that adds. */
  @Task()
  async delegate(a: number, b: number): Promise<number> {
    return this.task.replaceWith(this.own.add.signature(a, b));
  }
}
